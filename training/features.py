"""Features of a frozen backbone, computed once and kept on disk in half precision."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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
        places: path -> its file of maps (n, VIEWS, t, s, channels) in float16, and its row there.
        unreadable: path -> why it has none.
    """

    places: Mapping[Path, tuple[Path, int]]
    unreadable: Mapping[Path, str]

    def get(self, path: Path, generator: random.Random) -> Tensor:
        """One view, drawn from ``generator``: (t, s, channels), float32."""
        return self.view(path, generator.randrange(VIEWS))

    def view(self, path: Path, number: int) -> Tensor:
        """(t, s, channels), float32."""
        file, row = self.places[path]
        return torch.from_numpy(_mapped(file)[row, number]).float()

    def __or__(self, other: Features) -> Features:
        return Features({**self.places, **other.places}, {**self.unreadable, **other.unreadable})


@cache
def _mapped(file: Path) -> np.ndarray:
    maps: np.ndarray = np.load(file, mmap_mode="c")
    return maps


def read_frames(path: Path, vision: VisionPeripheral, clip: bool) -> Tensor:
    """A file exactly as serving sees it: uint8 (t, 3, size, size)."""
    data = path.read_bytes()
    frames = decode_video(data, vision.config.frames).frames if clip else decode_image(data).pixels[None]
    return fit(frames, vision.config)


@torch.inference_mode()
def compute_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, folder: Path) -> Features:
    """Features of distinct files; what an earlier call with the same backbone and files left is used.

    Raises:
        DataError: not one of them can be read.
    """
    paths = list(dict.fromkeys(paths))
    if not paths:
        return Features({}, {})
    target = folder / f"{_key(vision, paths)}.npy"
    if not target.exists():
        failed = _write_features(vision, paths, clips, target.with_suffix(".part"))
        target.with_suffix(".json").write_text(json.dumps(failed))
        target.with_suffix(".part").rename(target)
    unreadable = {Path(path): why for path, why in json.loads(target.with_suffix(".json").read_text()).items()}
    return Features({path: (target, i) for i, path in enumerate(paths) if path not in unreadable}, unreadable)


def _write_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, target: Path) -> dict[str, str]:
    """Write the maps; what cannot be read is left at zero and returned, path -> why."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unreadable = {}
    maps: np.memmap[Any, Any] | None = None
    for i, path in enumerate(tqdm(paths, desc="features", unit="clip" if clips else "picture")):
        try:
            frames = read_frames(path, vision, clips)
        except (OSError, InputError) as error:
            unreadable[str(path)] = str(error)
            continue
        found = vision.features(torch.stack([frames, frames.flip(-1)]))
        if maps is None:
            shape = (len(paths), *found.shape)
            maps = np.lib.format.open_memmap(target, mode="w+", dtype=np.float16, shape=shape)
        maps[i] = found.half().numpy()
    if maps is None:
        path, why = next(iter(unreadable.items()))
        raise DataError(f"none of {len(paths)} files can be read; the first, {path}: {why}")
    maps.flush()
    return unreadable


def _key(vision: VisionPeripheral, paths: Sequence[Path]) -> str:
    digest = hashlib.sha256(repr(vision.config).encode())
    for tensor in vision.backbone.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for path in paths:
        # What is missing is found out, and counted, when it is read.
        file = path.stat() if path.exists() else None
        digest.update(f"{path} {file and file.st_size} {file and file.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
