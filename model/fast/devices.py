"""Selection and validation of device and precision."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch

from omninet.model.errors import DeviceError

Precision = Literal["float32", "bfloat16", "int8"]


def choose_device(name: str) -> torch.device:
    """Return the device with a name; ``auto`` is the first CUDA device, or the CPU if there is none.

    Raises:
        DeviceError: the name is unknown, or the machine does not have the device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r} is unknown; choose auto, cpu, cuda or cuda:N") from error
    if device.type not in {"cpu", "cuda"}:
        raise DeviceError(f"device {name!r} is not supported; choose auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise DeviceError(f"device {name!r} was asked for, but this machine has {found or 'no'} CUDA devices")
    return device


def check_precision(name: str, device: torch.device) -> None:
    """Check that a device supports a precision; ``auto`` is always supported.

    Raises:
        DeviceError: the precision is unknown, or the device does not support it.
    """
    foresee_precision(name, device)
    if device.type == "cuda" and name == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise _cannot_compute(name, device)


def foresee_precision(name: str, device: torch.device) -> None:
    """Check that devices of this type can support a precision, without querying the device.

    A query would create a CUDA context, which takes GPU memory in the calling process.

    Raises:
        DeviceError: the precision is unknown, or no device of this type supports it.
    """
    if name not in ("auto", *get_args(Precision)):
        raise DeviceError(f"precision {name!r} is unknown; choose auto, float32, bfloat16 or int8")
    if device.type == "cuda" and name == "int8":
        raise _cannot_compute(name, device)


def _cannot_compute(name: str, device: torch.device) -> DeviceError:
    return DeviceError(f"device {device} cannot compute in {name}; choose float32")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return True if the hardware has bfloat16 matrix products, which are faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return cpu_has("avx512_bf16", "amx_bf16", "bf16")


def cpu_has(*instructions: str) -> bool:
    """Return True if the CPU supports any of the instruction sets, by the names of torch.cpu.get_capabilities."""
    # get_capabilities is missing in older supported versions of torch.
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(found.get(name, False) for name in instructions)
