"""Frames to the square that the backbone sees; training and serving both come through here."""

from __future__ import annotations

import numpy as np
from PIL import Image

from omninet.model.modalities.vision.config import Framing
from omninet.model.modalities.vision.resize import resize

GREY = 128


def fit(frames: np.ndarray, framing: Framing, size: int) -> np.ndarray:
    """Turn uint8 RGB frames (t, 3, height, width) into squares (t, 3, size, size), as the framing says."""
    side = framing.side or size
    if framing.treatment == "crop":
        square = np.stack([_crop(frame, framing, side, size) for frame in frames])
    else:
        padded = framing.treatment == "pad"
        fitted = _pad(frames, side) if padded else resize(frames, side, side, framing.antialias)
        offset = _offset(side, size, framing)
        square = fitted[..., offset : offset + size, offset : offset + size]
    return np.ascontiguousarray(square[:, ::-1] if framing.channels == "bgr" else square)


def _crop(frame: np.ndarray, framing: Framing, side: int, size: int) -> np.ndarray:
    """Return a window of a frame whose shorter side is scaled to ``side``; only that window is computed."""
    height, width = frame.shape[-2:]
    if height == width == side == size:
        return frame
    shorter = min(height, width)
    scaled = [(int(side * length / shorter), length) for length in (width, height)]
    left, top = ((_offset(now, size, framing), then / now) for now, then in scaled)
    box = (left[0] * left[1], top[0] * top[1], (left[0] + size) * left[1], (top[0] + size) * top[1])
    picture = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
    window = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(window).transpose(2, 0, 1)


def _offset(side: int, size: int, framing: Framing) -> int:
    return round((side - size) / 2) if framing.window == "middle" else 0


def _pad(frames: np.ndarray, side: int) -> np.ndarray:
    """Scale the longer side of frames to ``side`` and pad the shorter one with grey on both ends."""
    height, width = frames.shape[-2:]
    scale = side / max(height, width)
    inner = resize(frames, max(1, round(height * scale)), max(1, round(width * scale)))
    rows, columns = inner.shape[-2:]
    top, left = (side - rows) // 2, (side - columns) // 2
    padded = np.full((*frames.shape[:-2], side, side), GREY, np.uint8)
    padded[..., top : top + rows, left : left + columns] = inner
    return padded
