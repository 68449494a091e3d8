"""Photos of scenes with the words in them: the base class of such data sets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np
from PIL import Image

from omninet.model.media.images import decode_image
from omninet.model.outputs.scene.answer import Point
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data.base import DataSet, Drawing, Example
from omninet.training.data.scene_drawing import SIZE

ZOOM = 0.6, 1.5  # pixels of a training picture for each pixel of the photo
KEPT = 0.8  # part of a word's upright box that a training picture must show, so that the word can be read
UNREADABLE = {"###", "#", "*", ""}
HELD = 10  # of so many photos, one is held back where a data set has no dev part


@dataclass(frozen=True)
class ScenePhoto(Drawing):
    """A part of a photo at another scale, chosen anew each time."""

    path: Path
    words: tuple[WrittenWord, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the file."""
        return (self.path,)

    def example(self, generator: Random) -> Example:
        """Return a part of the photo as large as a tile, uint8 (height, width, 3), with its words."""
        pixels = decode_image(self.path.read_bytes()).pixels
        image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        scale = ZOOM[0] * (ZOOM[1] / ZOOM[0]) ** generator.random()
        left, top = (_start(length, shown / scale, generator) for length, shown in zip(image.size, SIZE, strict=True))
        box = (left, top, left + SIZE[0] / scale, top + SIZE[1] / scale)
        shown = image.transform(SIZE, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
        light = (
            generator.uniform(0.7, 1.3) * (np.asarray(shown).astype(np.float32) - 128) + 128 + generator.gauss(0, 15)
        )
        words = tuple(_moved(word, left, top, scale) for word in self.words)
        return Example("read_scene", {"image": light.clip(0, 255).astype(np.uint8)}, truth=words)


def _start(length: float, shown: float, generator: Random) -> float:
    """Return where the shown part of a length begins; a part that is longer shows all of it, and black beside it."""
    least, most = sorted((0.0, length - shown))
    return generator.uniform(least, most)


def _moved(word: WrittenWord, left: float, top: float, scale: float) -> WrittenWord:
    """Return a word in pixels of a part of its photo; it cannot be read if too much of it is cut off."""
    corners = tuple(((x - left) * scale, (y - top) * scale) for x, y in word.corners)
    spans = [(min(values), max(values)) for values in zip(*corners, strict=True)]
    shown = [max(0.0, min(high, side) - max(low, 0)) for (low, high), side in zip(spans, SIZE, strict=True)]
    whole = [max(high - low, 1e-6) for low, high in spans]
    cut = shown[0] * shown[1] < KEPT * whole[0] * whole[1]
    return WrittenWord(corners, None if cut else word.text)


class ScenePhotos(DataSet):
    """Photos with the words in them. Training shows another part of each photo every time.

    Attributes:
        has_dev: whether there is a dev part; otherwise it is every tenth photo of ``train``.
    """

    task = "read_scene"
    has_dev: ClassVar[bool] = False

    @abstractmethod
    def photos(self, split: str) -> Iterable[tuple[Path, tuple[WrittenWord, ...]]]:
        """Yield each photo of a part with its words, always in one order."""

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example for each photo."""
        found = list(self.photos(split if self.has_dev or split == "test" else "train"))
        if not self.has_dev and split != "test":
            found = [each for i, each in enumerate(found, 1) if (i % HELD == 0) == (split == "dev")]
        return [
            Example(self.task, {"image": ScenePhoto(photo, words) if split == "train" else photo}, truth=words)
            for photo, words in found
        ]


def corners_of(numbers: Sequence[float]) -> tuple[Point, ...]:
    """Return the corners that are given by left, top, right and bottom, or by all x and y in turn."""
    if len(numbers) == 4:
        left, top, right, bottom = numbers
        return (left, top), (right, top), (right, bottom), (left, bottom)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def readable(word: str) -> str | None:
    """Return a word without quotation marks around it; None if it stands for one that cannot be read."""
    word = word.strip()
    word = word[1:-1] if len(word) > 1 and word[0] + word[-1] == '""' else word
    return None if word in UNREADABLE else word
