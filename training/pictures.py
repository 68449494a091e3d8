"""Unlabelled pictures for distillation: the training photos and frames of a run's data sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from model.media import decode_image, decode_video
from training.config import RunConfig

FRAMES = 4  # of each clip: its frames look alike


def training_pictures(config: RunConfig, data: Path) -> list[Callable[[], Tensor]]:
    """Loaders of uint8 RGB (3, height, width), in a fixed order; no dev picture is among them."""
    held_back = _media(config, data, "dev")
    loaders: list[Callable[[], Tensor]] = []
    for path, clip in _media(config, data, "train").items():
        if path in held_back:
            continue
        loaders += [partial(_frame, path, i) for i in range(FRAMES)] if clip else [partial(_photo, path)]
    return loaders


def _media(config: RunConfig, data: Path, split: str) -> dict[Path, bool]:
    """Path -> whether it is a clip."""
    found = {}
    for source in (source for run in config.tasks.values() for source in run.sources):
        for example in source.data_set(data).read(split):
            if example.media:
                found[example.media] = example.video is not None
    return found


def _photo(path: Path) -> Tensor:
    return decode_image(path.read_bytes()).pixels


def _frame(path: Path, number: int) -> Tensor:
    return decode_video(path.read_bytes(), FRAMES).frames[number]
