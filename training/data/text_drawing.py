"""Drawing of words as they look on photos of signs."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from omninet.model.media.errors import DECODE_ERRORS
from omninet.training.data.base import Drawing, Example, MissingError

FONTS, PHOTOS = {".ttf", ".otf"}, {".jpg", ".jpeg", ".png"}
SIZES = (20, 52)  # pixels of a font
SYMBOLS = ("Symbol", "Dingbat")  # in names of fonts that draw Greek letters or ornaments
CONTRAST = 45  # least difference of brightness between the text and what is behind it
MOST_BLUR = 2.0  # pixels
SIDE, LEAST_SIDE = 512, 8  # pixels of the longer side of a background, and at least of the shorter one


@dataclass(frozen=True)
class Library:
    """Fonts and photos, by their paths."""

    fonts: tuple[Path, ...] = field(repr=False)
    photos: tuple[Path, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, fonts: Path, photos: Path) -> Library:
        """Return the fonts that can draw ASCII, and the photos, in two folders and those in them.

        Raises:
            MissingError: there is no such font.
        """
        found = tuple(path for path in _files(fonts, FONTS) if draws_ascii(path))
        if not found:
            raise MissingError(f"{fonts} holds no font (.ttf or .otf) with letters and digits")
        return cls(found, tuple(_files(photos, PHOTOS)))


@dataclass(frozen=True)
class DrawnWord(Drawing):
    """A word whose picture is drawn anew each time."""

    text: str
    library: Library

    def example(self, generator: Random) -> Example:
        """Return a picture of the word, uint8 RGB (height, width, 3), with the word."""
        return Example("read_word", {"image": draw_word(self.text, self.library, generator)}, self.text)


def draw_word(text: str, library: Library, draw: Random) -> np.ndarray:
    """Draw a word on a photo or a colour, as a careless camera would see it; uint8 RGB (height, width, 3)."""
    mask = _warped(_mask(text, some_font(library, draw.randint(*SIZES), draw), draw), draw)
    box = mask.getbbox()
    mask = mask.crop(_with_margins(box, mask.size, draw)) if box else mask
    behind = background(library, mask.size, draw)
    image = _painted(behind, mask, draw)
    return np.asarray(photographed(image, draw))


def draws_ascii(path: Path) -> bool:
    """Return whether a font has letters and digits that differ, and does not draw symbols in their places."""
    try:
        font = ImageFont.truetype(path, 24)
        if any(word in str(font.getname()[0]) for word in SYMBOLS):
            return False
        drawn = [bytes(font.getmask(letter)) for letter in "AbZ19g%"]
    except (OSError, ValueError):
        return False
    return all(any(pixels) for pixels in drawn) and len(set(drawn)) == len(drawn)


def some_font(library: Library, size: int, draw: Random) -> ImageFont.FreeTypeFont:
    """Return a font of a size in pixels."""
    return _font(draw.choice(library.fonts), size)


@lru_cache(maxsize=256)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=200)
def _photo(path: Path) -> Image.Image | None:
    """Return a small copy of a photo; None if it is damaged or tiny."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE, SIDE))
            small = image.convert("RGB")
    except DECODE_ERRORS:
        return None
    small.thumbnail((SIDE, SIDE))
    return small if min(small.size) >= LEAST_SIDE else None


def _mask(text: str, font: ImageFont.FreeTypeFont, draw: Random) -> Image.Image:
    """Return the shape of a text, with letters apart or bold at times."""
    apart = draw.choice((0, 0, 0, 1, 2, 4))
    bold = 1 if draw.random() < 0.15 else 0
    widths = [font.getlength(letter) + apart for letter in text] if apart else [font.getlength(text)]
    size = int(font.size)
    image = Image.new("L", (int(sum(widths)) + 2 * size, 3 * size))
    pen, at = ImageDraw.Draw(image), float(size)
    for piece, width in zip(text if apart else (text,), widths, strict=True):
        pen.text((at, size), piece, 255, font, stroke_width=bold)
        at += width
    return image


def _warped(mask: Image.Image, draw: Random) -> Image.Image:
    """Bend, turn and tilt a shape."""
    width, height = mask.size
    if draw.random() < 0.25:
        bend = draw.uniform(-0.25, 0.25) * height / 3
        columns = [bend * math.sin(math.pi * x / width) for x in range(width)]
        pixels = np.asarray(mask)
        rows = np.arange(height)[:, None] + np.round(columns).astype(int)[None]
        mask = Image.fromarray(np.take_along_axis(pixels, rows.clip(0, height - 1), 0))
    if draw.random() < 0.6:
        mask = mask.rotate(draw.gauss(0, 5), Image.Resampling.BILINEAR, expand=True)
    if draw.random() < 0.6:
        width, height = mask.size
        across, down = 0.06 * width, 0.12 * height
        corners = [(0, 0), (0, height), (width, height), (width, 0)]
        quad = [c for x, y in corners for c in (x + draw.uniform(-across, across), y + draw.uniform(-down, down))]
        mask = mask.transform((width, height), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    return mask


def _with_margins(box: tuple[int, int, int, int], size: tuple[int, int], draw: Random) -> tuple[int, int, int, int]:
    """Return the box of a text with uneven margins; at times a little of the text is cut off."""
    left, top, right, bottom = box
    least = 0.15 * (bottom - top)
    edges = [draw.uniform(-0.25, 1) * least if draw.random() < 0.9 else draw.uniform(1, 3) * least for _ in range(4)]
    found = (left - edges[0], top - edges[1], right + edges[2], bottom + edges[3])
    x1, y1 = (max(0, int(value)) for value in found[:2])
    return x1, y1, min(size[0], max(x1 + 4, int(found[2]))), min(size[1], max(y1 + 4, int(found[3])))


def background(
    library: Library,
    size: tuple[int, int],
    draw: Random,
    share: float = 0.5,
    parts: tuple[float, float] = (0.15, 0.6),
) -> Image.Image:
    """Return a part of a photo, or a colour that changes from one side to the other.

    Args:
        size: width and height in pixels.
        share: probability of a photo.
        parts: least and largest part of a photo's side that is shown.
    """
    photo = _photo(draw.choice(library.photos)) if library.photos and draw.random() < share else None
    if photo is not None:
        part = draw.uniform(*parts)
        wide, high = (max(2, int(part * side)) for side in photo.size)
        left, top = draw.randint(0, photo.width - wide), draw.randint(0, photo.height - high)
        return photo.resize(size, Image.Resampling.BILINEAR, (left, top, left + wide, top + high))
    colours = np.array([[draw.randint(0, 255) for _ in range(3)]] * 2, float)
    colours[1] += [draw.gauss(0, 25) for _ in range(3)]
    shares = np.linspace(0, 1, size[0])[:, None]
    row = (colours[0] * (1 - shares) + colours[1] * shares).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(row[None], size[1], 0))


def contrasting(brightness: float, draw: Random) -> tuple[int, int, int]:
    """Return a colour that can be seen before one of a brightness, in [0, 255]."""
    for _ in range(20):
        colour = (draw.randint(0, 255), draw.randint(0, 255), draw.randint(0, 255))
        if abs(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] - brightness) > CONTRAST:
            return colour
    return (0, 0, 0) if brightness > 127 else (255, 255, 255)


def _painted(behind: Image.Image, mask: Image.Image, draw: Random) -> Image.Image:
    """Paint a shape in a colour that can be seen, at times with a shadow or an outline."""
    colour = contrasting(float(np.asarray(behind.convert("L")).mean()), draw)
    image = behind.copy()
    if draw.random() < 0.2:
        shadow = ImageChops.offset(mask, draw.randint(-3, 3), draw.randint(-3, 3)).filter(ImageFilter.GaussianBlur(1))
        image.paste(tuple(value // 3 for value in colour), mask=shadow)
    if draw.random() < 0.1:
        edge = 255 if sum(colour) < 384 else 0
        image.paste((edge, edge, edge), mask=mask.filter(ImageFilter.MaxFilter(3)))
    image.paste(colour, mask=mask)
    return image


def photographed(image: Image.Image, draw: Random, reduce: bool = True) -> Image.Image:
    """Blur, darken and compress a picture, and with ``reduce`` make it smaller first."""
    if reduce and draw.random() < 0.5:
        height = draw.randint(12, 40)
        scale = height / image.height
        if scale < 1:
            image = image.resize((max(4, round(image.width * scale)), height), Image.Resampling.BILINEAR)
    if draw.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(draw.uniform(0.2, min(0.06 * image.height, MOST_BLUR))))
    pixels = np.asarray(image).astype(np.float32)
    pixels = (pixels - 128) * draw.uniform(0.5, 1.1) + 128 + draw.gauss(0, 20)
    if draw.random() < 0.4:
        noise = np.random.default_rng(draw.getrandbits(63)).standard_normal(pixels.shape, np.float32)
        pixels += draw.uniform(2, 15) * noise
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if draw.random() < 0.6:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=draw.randint(20, 85))
        image = Image.open(buffer).convert("RGB")
    return image


def _files(folder: Path, endings: set[str]) -> list[Path]:
    """Return the files with some endings in a folder and those in it, by name; none if there is no folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
