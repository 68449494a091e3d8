"""All photos of a distillation in one ZIP file, small enough for the page cache, with random access."""

from __future__ import annotations

import csv
import io
import logging
import multiprocessing
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional
from tqdm import tqdm

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.videos import decode_video
from omninet.training.data import DataError
from omninet.training.data.exclusion import Exclusion, perceptual_hash
from omninet.training.distill.config import Pictures
from omninet.training.distill.sources import PictureSource

LOG = logging.getLogger(__name__)
INDEX = "index.tsv"
COLUMNS = ("collection", "name", "label", "group")
CHUNK = 16  # files per multiprocessing task


@dataclass(frozen=True)
class PackedPhoto:
    """Index entry of a packed photo.

    Attributes:
        collection, name, label: of its source.
        group: identical for photos that look alike, which must be on the same side of the split: a perceptual hash,
            or the name of the clip.
    """

    collection: str
    name: str
    label: str
    group: str


@dataclass(frozen=True)
class Encoded:
    """A JPEG file and the perceptual hash of its photo."""

    jpeg: bytes
    hash: int


class Pack:
    """Reader of a packed file; thread-safe.

    Attributes:
        entries: one per photo, in the order of packing.
    """

    def __init__(self, path: Path) -> None:
        """Open a packed file.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            self._archive = zipfile.ZipFile(path)
            table = io.TextIOWrapper(self._archive.open(INDEX), encoding="utf-8", newline="")
            rows = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
            next(rows)
            self.entries = tuple(PackedPhoto(*row) for row in rows)
        except (OSError, zipfile.BadZipFile, KeyError, TypeError, StopIteration) as error:
            raise DataError(f"{path} is damaged, remove it to pack the photos again: {error}") from error

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.entries)

    def jpeg(self, number: int) -> bytes:
        """Return the JPEG file of a photo."""
        return self._archive.read(f"{number:07d}.jpg")

    def pixels(self, number: int) -> Tensor:
        """Decode a photo to uint8 RGB (3, height, width)."""
        with Image.open(io.BytesIO(self.jpeg(number))) as image:
            pixels: Tensor = functional.pil_to_tensor(image.convert("RGB"))
        return pixels

    def split(self, held_back: float) -> tuple[Tensor, Tensor]:
        """Return the numbers of the training photos and of the evaluation photos.

        Args:
            held_back: share of the groups used for evaluation; at least one group is, and at least one is not.

        Raises:
            DataError: all photos belong to one group.
        """
        groups = sorted({entry.group for entry in self.entries}, key=lambda group: zlib.crc32(group.encode()))
        if len(groups) < 2:
            raise DataError(f"a distillation needs at least two different pictures, not {len(groups)}")
        chosen = set(groups[: min(max(1, round(held_back * len(groups))), len(groups) - 1)])
        ours = torch.tensor([entry.group in chosen for entry in self.entries])
        return (~ours).nonzero().flatten(), ours.nonzero().flatten()


def repeats(pack: Pack, photos: Tensor, often: Mapping[str, int]) -> Tensor:
    """Return how many times an epoch shows each photo, (n,).

    Args:
        photos: numbers of photos, (n,).
        often: collection -> times; 1 for others.

    Raises:
        DataError: there is no such collection.
    """
    known = {entry.collection for entry in pack.entries}
    if wrong := sorted(often.keys() - known):
        raise DataError(f"often: no photo was packed of {wrong[0]!r}; known are {', '.join(sorted(known))}")
    return torch.tensor([often.get(pack.entries[number].collection, 1) for number in photos.tolist()])


def pack(
    sources: Sequence[PictureSource], config: Pictures, target: Path, excluded: Exclusion | None = None
) -> Counter[str]:
    """Write all photos, and some frames of every clip, to ``target``, a ZIP of JPEG files with an index.

    Unreadable files, excluded photos and copies of earlier photos are left out.

    Returns:
        Number of packed photos per collection.

    Raises:
        DataError: no photo can be used.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    excluded = excluded or Exclusion()
    packed: list[PackedPhoto] = []
    seen: set[int] = set()
    lost: Counter[str] = Counter()
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for source, found in _read(sources, config):
            if not found:
                lost["unreadable"] += 1
            for photo in found:
                if excluded.holds(source.name, photo.hash):
                    lost["excluded"] += 1
                elif photo.hash in seen and not source.clip:
                    lost["copies"] += 1
                else:
                    seen.add(photo.hash)
                    archive.writestr(f"{len(packed):07d}.jpg", photo.jpeg)
                    group = f"{source.collection}/{source.name}" if source.clip else f"{photo.hash:016x}"
                    packed.append(PackedPhoto(source.collection, source.name, source.label, group))
        archive.writestr(INDEX, _table(packed))
    if lost:
        LOG.warning("skipped: %s", ", ".join(f"{number} {why}" for why, number in lost.items()))
    if not packed:
        part.unlink()
        raise DataError(f"none of {len(sources)} pictures and clips can be used")
    part.replace(target)
    return Counter(entry.collection for entry in packed)


def _table(entries: Sequence[PackedPhoto]) -> str:
    clean = str.maketrans("\t\r\n", "   ")
    rows = [COLUMNS, *((e.collection, e.name, e.label, e.group) for e in entries)]
    return "".join("\t".join(value.translate(clean) for value in row) + "\n" for row in rows)


def _read(sources: Sequence[PictureSource], config: Pictures) -> Iterator[tuple[PictureSource, list[Encoded]]]:
    """Encode all sources in parallel processes, one per core; results are in order."""
    encode = partial(_encode_source, config=config)
    processes = min(os.cpu_count() or 1, len(sources) // CHUNK)
    bar = partial(tqdm, total=len(sources), desc="packing", disable=None, mininterval=5)
    if processes < 2:
        yield from zip(sources, bar(map(encode, sources)), strict=True)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from zip(sources, bar(pool.imap(encode, sources, CHUNK)), strict=True)


def _encode_source(source: PictureSource, config: Pictures) -> list[Encoded]:
    try:
        data = source.path.read_bytes()
        if source.clip:
            frames = torch.from_numpy(decode_video(data, config.frames).frames)
            return [_encode(frame, config) for frame in frames]
        return [_encode(torch.from_numpy(decode_image(data, MediaLimits()).pixels), config)]
    except (InputError, OSError, UnidentifiedImageError):
        return []


def _encode(pixels: Tensor, config: Pictures) -> Encoded:
    """Encode as JPEG after reducing the shorter side to at most ``config.side`` pixels, keeping the aspect ratio."""
    height, width = pixels.shape[-2:]
    scale = config.side / min(height, width)
    if scale < 1:
        size = [max(1, round(height * scale)), max(1, round(width * scale))]
        pixels = functional.resize(pixels, size, antialias=True)
    image = functional.to_pil_image(pixels)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=config.quality)
    return Encoded(file.getvalue(), perceptual_hash(image))
