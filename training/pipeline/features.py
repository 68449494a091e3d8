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
from omninet.training.pipeline.views import View, part_of

VIEWS = 4  # the whole picture, its mirror image, a region, and a mirrored region
PICTURES, CLIPS = 32, 2  # batch size
READERS = 4
MEASURED = 512  # files from which mean and standard deviation of the channels are estimated
FORMAT = 2  # of the cache files
LEAST = 0.6  # minimum share of a region's area: captions describe the whole picture


@dataclass(frozen=True)
class Features:
    """Cached feature maps of pictures or clips, with all views of each.

    Attributes:
        places: path -> cache file with maps (n, VIEWS, t, s, channels) in float16, and row in it.
        unreadable: path -> reason.
        sizes: path -> height and width of the decoded frames.
    """

    places: Mapping[Path, tuple[Path, int]]
    unreadable: Mapping[Path, str]
    sizes: Mapping[Path, tuple[int, int]]

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> tuple[Tensor, View]:
        """Return a random view, or if ``plain`` that of serving: (t, s, channels), float32; and what it shows."""
        number = 0 if plain else generator.randrange(VIEWS)
        return self.view(path, number), _view(path, number, self.sizes[path])

    def view(self, path: Path, number: int) -> Tensor:
        """Return view ``number`` of a file: (t, s, channels), float32."""
        file, row = self.places[path]
        return torch.from_numpy(_mapped(file)[row, number]).float()

    def __or__(self, other: Features) -> Features:
        return Features(
            {**self.places, **other.places}, {**self.unreadable, **other.unreadable}, {**self.sizes, **other.sizes}
        )


@cache
def _mapped(file: Path) -> np.ndarray:
    maps: np.ndarray = np.load(file, mmap_mode="c")
    return maps


def read_views(path: Path, config: VisionConfig, clip: bool) -> Tensor:
    """Return the views of a file, uint8 (VIEWS, t, 3, size, size); the first is that of serving, all are fixed."""
    return _views(_read(path, config, clip), path, config, clip)


def _read(path: Path, config: VisionConfig, clip: bool) -> Tensor:
    """Return the frames of a file, uint8 (t, 3, height, width)."""
    data = path.read_bytes()
    if clip:
        return torch.from_numpy(decode_video(data, config.frames, sampling=config.sampling).frames)
    return torch.from_numpy(decode_image(data).pixels)[None]


def _views(frames: Tensor, path: Path, config: VisionConfig, clip: bool) -> Tensor:
    framing, (height, width) = config.video if clip else config.image, frames.shape[-2:]
    parts = [frames[..., y : y + high, x : x + wide] for y, x, high, wide in _regions(path, height, width)]
    whole, *regions = (fit_tensor(part, framing, config.size) for part in (frames, *parts))
    return torch.stack([whole, whole.flip(-1), regions[0], regions[1].flip(-1)])


def _regions(path: Path, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of the two regions of a file, which depend on its name and its size."""
    generator = random.Random(path.name)
    return [region(height, width, LEAST, generator) for _ in range(2)]


def _view(path: Path, number: int, size: tuple[int, int]) -> View:
    """Return what view ``number`` of a file shows."""
    whole, regions = (0, 0, *size), _regions(path, *size)
    return View(part_of(*(whole, whole, *regions)[number], size), mirrored=number % 2 == 1)


@torch.inference_mode()
def compute_features(vision: VisionPeripheral, paths: Sequence[Path], clips: bool, folder: Path) -> Features:
    """Compute the features of files, or load them from the cache of an earlier call with the same backbone and files.

    Raises:
        DataError: none of the files can be read.
    """
    paths = list(dict.fromkeys(paths))
    if not paths:
        return Features({}, {}, {})
    target = folder / f"{_key(vision, paths)}.npy"
    if not target.exists():
        failed, sizes = _write_features(vision, paths, clips, target.with_suffix(".part"))
        target.with_suffix(".json").write_text(json.dumps({"unreadable": failed, "sizes": sizes}))
        target.with_suffix(".part").rename(target)
    stored = json.loads(target.with_suffix(".json").read_text())
    unreadable = {Path(path): why for path, why in stored["unreadable"].items()}
    places = {path: (target, i) for i, path in enumerate(paths) if path not in unreadable}
    return Features(places, unreadable, {path: tuple(stored["sizes"][str(path)]) for path in places})


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


def _write_features(
    vision: VisionPeripheral, paths: Sequence[Path], clips: bool, target: Path
) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """Write the feature maps.

    Returns:
        Path -> reason for unreadable files, whose maps are zero; path -> height and width for all others.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unreadable, sizes = dict[str, str](), dict[str, tuple[int, int]]()
    maps: np.memmap[Any, Any] | None = None
    together = CLIPS if clips else PICTURES
    with tqdm(total=len(paths), desc="features", unit="clip" if clips else "picture") as progress:
        for start in range(0, len(paths), together):
            found = _features(vision, paths[start : start + together], clips, unreadable, sizes)
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
    return unreadable, sizes


def _features(
    vision: VisionPeripheral,
    paths: Sequence[Path],
    clips: bool,
    unreadable: dict[str, str],
    sizes: dict[str, tuple[int, int]],
) -> dict[int, Tensor]:
    """Return position -> features of all views of the readable files; add to ``unreadable`` and ``sizes``."""

    def read(path: Path) -> Tensor | str:
        try:
            frames = _read(path, vision.config, clips)
            sizes[str(path)] = (frames.shape[-2], frames.shape[-1])
            return _views(frames, path, vision.config, clips)
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
    digest = hashlib.sha256(repr((FORMAT, seen, VIEWS, LEAST)).encode())
    for tensor in vision.backbone.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for path in paths:
        # A missing file is reported and counted when it is read.
        file = path.stat() if path.exists() else None
        digest.update(f"{path} {file and file.st_size} {file and file.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
