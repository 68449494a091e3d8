"""Features of a frozen backbone, computed once and kept on disk in half precision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model.errors import InputError
from model.media import decode_image, decode_video
from model.peripherals.vision import VisionPeripheral
from model.pictures import fit
from training.data import DataError

VIEWS = 2  # as it is, and mirrored


@dataclass(frozen=True)
class Features:
    """Feature maps of pictures or clips, both views of each.

    Attributes:
        maps: path -> (VIEWS, t, s, channels), float16, mapped from disk.
    """

    maps: Mapping[Path, np.ndarray]

    def get(self, path: Path, view: int) -> Tensor:
        """(t, s, channels), float32."""
        return torch.from_numpy(self.maps[path][view]).float()

    def __or__(self, other: Features) -> Features:
        return Features({**self.maps, **other.maps})


def read_frames(path: Path, vision: VisionPeripheral, clip: bool) -> Tensor:
    """A file exactly as serving sees it: uint8 (t, 3, size, size)."""
    data = path.read_bytes()
    frames = decode_video(data, vision.config.frames).frames if clip else decode_image(data).pixels[None]
    return fit(frames, vision.config)


@torch.inference_mode()
def compute_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, folder: Path) -> Features:
    """Features of distinct files; what an earlier call with the same backbone and files left is used.

    Raises:
        DataError, InputError: a file that cannot be read or decoded; the message names it.
    """
    paths = list(dict.fromkeys(paths))
    if not paths:
        return Features({})
    target = folder / f"{_key(vision, paths)}.npy"
    if not target.exists():
        _write_features(vision, paths, clips, target)
    maps = np.load(target, mmap_mode="c")
    return Features(dict(zip(paths, maps, strict=True)))


def _write_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    maps: np.memmap[Any, Any] | None = None
    for i, path in enumerate(tqdm(paths, desc="features", unit="clip" if clips else "picture")):
        try:
            frames = read_frames(path, vision, clips)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        except InputError as error:
            raise InputError(error.code, f"{path}: {error.message}", **error.detail) from error
        found = vision.features(torch.stack([frames, frames.flip(-1)]))
        if maps is None:
            shape = (len(paths), *found.shape)
            maps = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape)
        maps[i] = found.half().numpy()
    if maps is not None:
        maps.flush()
        unfinished.rename(target)


def _key(vision: VisionPeripheral, paths: Sequence[Path]) -> str:
    digest = hashlib.sha256(repr(vision.config).encode())
    for tensor in vision.backbone.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for path in paths:
        try:
            file = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        digest.update(f"{path} {file.st_size} {file.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
