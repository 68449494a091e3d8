"""Frames to the square that the backbone sees; training and serving both come through here."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from omninet.model.modalities.vision.config import Framing

GREY = 128


def fit(frames: Tensor, framing: Framing, size: int) -> Tensor:
    """uint8 RGB (t, 3, height, width) -> (t, 3, size, size), as the framing says."""
    side = framing.side or size
    if framing.treatment == "crop":
        square = torch.stack([_crop(frame, framing, side, size) for frame in frames])
    else:
        fitted = _pad(frames, side) if framing.treatment == "pad" else _resize(frames, side, side, framing.antialias)
        offset = _offset(side, size, framing)
        square = fitted[..., offset : offset + size, offset : offset + size]
    return square.flip(1) if framing.channels == "bgr" else square


def _crop(frame: Tensor, framing: Framing, side: int, size: int) -> Tensor:
    """The window of the picture whose shorter side is scaled to ``side``; no more of it is made than that window."""
    height, width = frame.shape[-2:]
    if height == width == side == size:
        return frame
    shorter = min(height, width)
    scaled = [(int(side * length / shorter), length) for length in (width, height)]
    left, top = ((_offset(now, size, framing), then / now) for now, then in scaled)
    box = (left[0] * left[1], top[0] * top[1], (left[0] + size) * left[1], (top[0] + size) * top[1])
    picture = Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy())
    window = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return torch.from_numpy(np.array(window)).permute(2, 0, 1).contiguous()


def _offset(side: int, size: int, framing: Framing) -> int:
    return round((side - size) / 2) if framing.window == "middle" else 0


def _pad(frames: Tensor, side: int) -> Tensor:
    height, width = frames.shape[-2:]
    scale = side / max(height, width)
    inner = _resize(frames, max(1, round(height * scale)), max(1, round(width * scale)))
    top, left = (side - inner.shape[-2]) // 2, (side - inner.shape[-1]) // 2
    margins = (left, side - inner.shape[-1] - left, top, side - inner.shape[-2] - top)
    return functional.pad(inner, margins, value=GREY)


def _resize(frames: Tensor, height: int, width: int, antialias: bool = True) -> Tensor:
    if frames.shape[-2:] == torch.Size((height, width)):
        return frames
    # On 8-bit pictures, which is what torchvision does, whose import takes longer than all of torch.
    return functional.interpolate(frames, (height, width), mode="bilinear", antialias=antialias)
