"""Where the network runs and in which precision."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch

from omninet.model.errors import DeviceError

Precision = Literal["float32", "bfloat16", "int8"]


def choose_device(name: str) -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU.

    Raises:
        DeviceError: the device does not exist here.
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
    """Hold that a device computes in the precision of that name; ``auto`` is one that it does.

    Raises:
        DeviceError: it does not, or there is no such precision.
    """
    foresee_precision(name, device)
    if device.type == "cuda" and name == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise _cannot_compute(name, device)


def foresee_precision(name: str, device: torch.device) -> None:
    """Hold that such a device may compute in the precision of that name, by what is known without asking it.

    A process that asks a GPU takes memory on it.

    Raises:
        DeviceError: there is no such precision, or no device of this kind has it.
    """
    if name not in ("auto", *get_args(Precision)):
        raise DeviceError(f"precision {name!r} is unknown; choose auto, float32, bfloat16 or int8")
    if device.type == "cuda" and name == "int8":
        raise _cannot_compute(name, device)


def _cannot_compute(name: str, device: torch.device) -> DeviceError:
    return DeviceError(f"device {device} cannot compute in {name}; choose float32")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has products of bfloat16, so that it is quicker in them than in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return cpu_has("avx512_bf16", "amx_bf16", "bf16")


def cpu_has(*instructions: str) -> bool:
    """Whether this processor has any of them, by torch's names."""
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # newer than the oldest torch we take
    return any(found.get(name, False) for name in instructions)
