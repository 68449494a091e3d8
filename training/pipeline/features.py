"""Feature maps of a frozen backbone, computed once and cached on disk in float16."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from omninet.model.errors import InputError
from omninet.model.fast.devices import multiplies_bfloat16
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.modalities.vision.peripheral import VisionPeripheral, changes
from omninet.training.data import DataError, thinned
from omninet.training.pipeline.augment import region
from omninet.training.pipeline.squares import fit_tensor

VIEWS = 4  # the whole picture, its mirror image, a region, and a mirrored region
PICTURES, CLIPS = 32, 2  # batch size
READERS = 4
MEASURED = 512  # files from which mean and standard deviation of the channels are estimated
LEAST = 0.6  # minimum share of a region's area: captions describe the whole picture


@dataclass(frozen=True)
class Features:
    """Cached feature maps of pictures or clips, with all views of each.

    Attributes:
        places: path -> cache file with maps (n, VIEWS, t, s, channels) in float16, and row in it.
        unreadable: path -> reason.
    """

    places: Mapping[Path, tuple[Path, int]]
    unreadable: Mapping[Path, str]

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> Tensor:
        """Return a random view, or if ``plain`` the one used in serving: (t, s, channels), float32."""
        return self.view(path, 0 if plain else generator.randrange(VIEWS))

    def view(self, path: Path, number: int) -> Tensor:
        """Return view ``number`` of a file: (t, s, channels), float32."""
        file, row = self.places[path]
        return torch.from_numpy(_mapped(file)[row, number]).float()

    def __or__(self, other: Features) -> Features:
        return Features({**self.places, **other.places}, {**self.unreadable, **other.unreadable})


@cache
def _mapped(file: Path) -> np.ndarray:
    maps: np.ndarray = np.load(file, mmap_mode="c")
    return maps


def read_views(path: Path, config: VisionConfig, clip: bool) -> Tensor:
    """Return the views of a file, uint8 (VIEWS, t, 3, size, size); the first is that of serving, all are fixed."""
    data = path.read_bytes()
    if clip:
        frames = torch.from_numpy(decode_video(data, config.frames, sampling=config.sampling).frames)
    else:
        frames = torch.from_numpy(decode_image(data).pixels)[None]
    framing, generator = config.video if clip else config.image, random.Random(path.name)
    parts = (frames, _region(frames, generator), _region(frames, generator))
    whole, *regions = (fit_tensor(part, framing, config.size) for part in parts)
    return torch.stack([whole, whole.flip(-1), regions[0], regions[1].flip(-1)])


def _region(frames: Tensor, generator: random.Random) -> Tensor:
    top, left, height, width = region(frames.shape[-2], frames.shape[-1], LEAST, generator)
    return frames[..., top : top + height, left : left + width]


@torch.inference_mode()
def compute_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, folder: Path) -> Features:
    """Compute the features of files, or load them from the cache of an earlier call with the same backbone and files.

    Raises:
        DataError: none of the files can be read.
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


@torch.inference_mode()
def measure_channels(vision: VisionPeripheral, pictures: Sequence[Path], clips: Sequence[Path]) -> None:
    """Measure the statistics by which a vision peripheral standardises features and motion, on training files."""
    if vision.standardise is not None:
        every, moving = thinned(list(dict.fromkeys([*pictures, *clips])), MEASURED), set(clips)
        found = [seen[:, :1] for path in every if (seen := _seen(vision, path, path in moving)) is not None]
        if found:
            vision.standardise.measure(torch.stack(found))
    if vision.motion is not None:
        some = thinned(list(dict.fromkeys(clips)), MEASURED // vision.config.frames)
        found = [changes(vision.standardised(seen)) for path in some if (seen := _seen(vision, path, True)) is not None]
        if found:
            vision.motion.standardise.measure(torch.stack(found))


def _seen(vision: VisionPeripheral, path: Path, clip: bool) -> Tensor | None:
    """Return features (1, t, s, channels) of a file as in serving; None if it cannot be read."""
    try:
        return vision.features(read_views(path, vision.config, clip)[:1])
    except (OSError, InputError):
        return None


def _write_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, target: Path) -> dict[str, str]:
    """Write the feature maps; return path -> reason for unreadable files, whose maps are zero."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unreadable: dict[str, str] = {}
    maps: np.memmap[Any, Any] | None = None
    together = CLIPS if clips else PICTURES
    with tqdm(total=len(paths), desc="features", unit="clip" if clips else "picture") as progress:
        for start in range(0, len(paths), together):
            found = _features(vision, paths[start : start + together], clips, unreadable)
            if found and maps is None:
                shape = (len(paths), *next(iter(found.values())).shape)
                maps = np.lib.format.open_memmap(target, mode="w+", dtype=np.float16, shape=shape)
            for i, values in found.items():
                assert maps is not None
                maps[start + i] = values.half().numpy()
            progress.update(len(paths[start : start + together]))
    if maps is None:
        path, why = next(iter(unreadable.items()))
        raise DataError(f"none of {len(paths)} files can be read; the first, {path}: {why}")
    maps.flush()
    return unreadable


def _features(
    vision: VisionPeripheral, paths: Sequence[Path], clips: bool, unreadable: dict[str, str]
) -> dict[int, Tensor]:
    """Return position -> features of all views of the readable files; add the others to ``unreadable``."""

    def read(path: Path) -> Tensor | str:
        try:
            return read_views(path, vision.config, clips)
        except (OSError, InputError) as error:
            return str(error)

    with ThreadPoolExecutor(READERS) as readers:  # decoders release the GIL
        found = list(readers.map(read, paths))
    unreadable |= {str(path): why for path, why in zip(paths, found, strict=True) if isinstance(why, str)}
    views = {i: seen for i, seen in enumerate(found) if isinstance(seen, Tensor)}
    if not views:
        return {}
    device = vision.projection.weight.device
    with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device)):
        maps = vision.features(torch.cat(list(views.values())))
    return dict(zip(views, maps.float().view(-1, VIEWS, *maps.shape[1:]), strict=True))


def _key(vision: VisionPeripheral, paths: Sequence[Path]) -> str:
    seen = replace(vision.config, standardise=False, dropout=0.0, motion=False)  # applied after the cached features
    digest = hashlib.sha256(repr((seen, VIEWS, LEAST)).encode())
    for tensor in vision.backbone.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for path in paths:
        # A missing file is reported and counted when it is read.
        file = path.stat() if path.exists() else None
        digest.update(f"{path} {file and file.st_size} {file and file.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
