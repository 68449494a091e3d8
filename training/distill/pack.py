"""Pictures without labels, squashed small and kept in one file that is quick to carry to another machine."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional
from tqdm import tqdm

from model.errors import InputError
from model.media import decode_image, decode_video
from training.data import DATASETS, DataError
from training.distill.config import DistillConfig, Pictures

LOG = logging.getLogger(__name__)
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
Loader = Callable[[], Sequence[Tensor]]


def pack(loaders: Sequence[Loader], config: Pictures, target: Path) -> None:
    """Write every picture to ``target``, a ZIP of WebP files; unreadable ones are left out.

    Raises:
        DataError: not one of them can be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    count = lost = 0
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for loader in tqdm(loaders, desc="packing", disable=None):
            try:
                pictures = loader()
            except (InputError, OSError):
                lost += 1
                continue
            for picture in pictures:
                archive.writestr(f"{count:07d}.webp", _encode(picture, config))
                count += 1
    if not count:
        part.unlink()
        raise DataError(f"none of {lost} pictures and clips can be read")
    if lost:
        LOG.warning("%d of %d pictures and clips cannot be read and are left out", lost, len(loaders))
    part.replace(target)


def unpack(source: Path) -> Tensor:
    """uint8 (n, 3, side, side), in the order of packing.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            names = sorted(archive.namelist())
            pictures = _decode(archive.read(names[0])).repeat(len(names), 1, 1, 1)
            for row, name in enumerate(names):
                pictures[row] = _decode(archive.read(name))
    except (zipfile.BadZipFile, UnidentifiedImageError) as error:
        raise DataError(f"{source} is damaged, remove it to pack anew: {error}") from error
    return pictures


def split(pictures: Tensor, held_back: float) -> tuple[Tensor, Tensor]:
    """Pictures to train on, and pictures to measure with, at least one of each.

    Held back is one block from the middle: the frames of a clip look alike and lie side by side, so that no more
    than two clips, at the ends of the block, have frames in both parts.

    Args:
        pictures: (n, 3, side, side), in the order of packing.
        held_back: share of them.
    """
    if len(pictures) < 2:
        raise DataError(f"a distillation needs at least two pictures, not {len(pictures)}")
    cut = min(max(1, round(len(pictures) * held_back)), len(pictures) - 1)
    start = (len(pictures) - cut) // 2
    return torch.cat((pictures[:start], pictures[start + cut :])), pictures[start : start + cut]


def of_datasets(config: DistillConfig, data: Path) -> list[Loader]:
    """The training photos and clips of data sets, in a fixed order; none that is also in dev.

    Raises:
        DataError: there is none.
    """
    held_back = _media(config, data, "dev")
    loaders: list[Loader] = [
        partial(_frames, path, config.pictures.frames) if clip else partial(_photo, path)
        for path, clip in _media(config, data, "train").items()
        if path not in held_back
    ]
    if not loaders:
        raise DataError(f"datasets ({', '.join(config.datasets) or 'none'}) hold no pictures to train on")
    return loaders


def of_folder(folder: Path) -> list[Loader]:
    """Every picture below a folder.

    Raises:
        DataError: there is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return [partial(_photo, path) for path in found]


def _media(config: DistillConfig, data: Path, part: str) -> dict[Path, bool]:
    """Path -> whether it is a clip."""
    return {
        example.media: example.video is not None
        for name, folder in config.datasets.items()
        for example in DATASETS[name](data / folder).read(part)
        if example.media
    }


def _photo(path: Path) -> list[Tensor]:
    return [decode_image(path.read_bytes()).pixels]


def _frames(path: Path, number: int) -> list[Tensor]:
    return list(decode_video(path.read_bytes(), number).frames)


def _encode(picture: Tensor, config: Pictures) -> bytes:
    small = functional.resize(picture, [config.side, config.side], antialias=True)
    file = io.BytesIO()
    functional.to_pil_image(small).save(file, "WEBP", quality=config.quality)
    return file.getvalue()


def _decode(data: bytes) -> Tensor:
    with Image.open(io.BytesIO(data)) as image:
        pixels: Tensor = functional.pil_to_tensor(image.convert("RGB"))
        return pixels
