"""Where the network runs and in which precision."""

from __future__ import annotations

from typing import Any

import torch

from model.errors import DeviceError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


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


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is float32, which answers the same everywhere.

    Raises:
        DeviceError: an unknown precision, or one that the device cannot compute in.
    """
    if name == "auto":
        return torch.float32
    if name not in PRECISIONS:
        raise DeviceError(f"precision {name!r} is unknown; choose auto, {' or '.join(PRECISIONS)}")
    if name == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise DeviceError(f"device {device} cannot compute in bfloat16; choose float32")
    return PRECISIONS[name]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has products of bfloat16, so that it is quicker in them than in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # newer than the oldest torch we take
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
