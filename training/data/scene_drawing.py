"""Drawing of photos with signs, labels and loose words on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data.base import Drawing, Example
from omninet.training.data.text_drawing import Library, background, contrasting, photographed, some_font

SIZE = 512, 384  # of a picture; a tile of the default page peripheral
SIGNS = (0, 1, 2, 2, 3, 3, 4, 5)  # numbers of signs of a picture
LETTERS = 7, 44  # pixels of a font
TRIES = 12  # places that are tried for a sign before it is left out
Quad = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class DrawnScene(Drawing):
    """A picture with writing on it that is drawn anew each time.

    Attributes:
        text: draws a word.
        library: fonts and photos.
    """

    text: Callable[[Random], str] = field(repr=False)
    library: Library

    def example(self, generator: Random) -> Example:
        """Return a picture, uint8 (height, width, 3), with its words."""
        image = background(self.library, SIZE, generator, share=0.9, parts=(0.4, 1.0))
        taken, words = list[Quad](), list[WrittenWord]()
        for _ in range(generator.choice(SIGNS)):
            image, new = _with_sign(image, self, taken, generator)
            words += new
        pixels = np.asarray(photographed(image, generator, reduce=False))
        return Example("read_scene", {"image": pixels}, truth=tuple(words))


def _with_sign(
    image: Image.Image, scene: DrawnScene, taken: list[Quad], draw: Random
) -> tuple[Image.Image, list[WrittenWord]]:
    """Draw lines of words, on a plate or on the photo itself, where nothing is written yet."""
    layer, boxes = _lettering(scene, draw)
    for _ in range(TRIES):
        quad = _some_quad(layer.size, draw)
        if all(_apart(quad, other) for other in taken):
            taken.append(quad)
            break
    else:
        return image, []
    forward = _homography([(0, 0), (layer.width, 0), (layer.width, layer.height), (0, layer.height)], quad)
    backward = np.linalg.inv(forward)
    coefficients = (backward / backward[2, 2]).flatten()[:8].tolist()
    placed = layer.transform(SIZE, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    image = image.copy()
    behind = np.asarray(image.crop(_bounds(quad)).convert("L"))
    brightness = float(behind.mean()) if behind.size else 128.0
    mask, colour = placed.getchannel("A"), contrasting(brightness, draw)
    if placed.mode == "LA":  # loose words: their shape alone
        image.paste(colour, mask=mask)
    else:
        image.paste(placed.convert("RGB"), mask=mask)
    return image, [WrittenWord(tuple(_through(forward, corner) for corner in box), text) for text, box in boxes]


def _lettering(scene: DrawnScene, draw: Random) -> tuple[Image.Image, list[tuple[str, Quad]]]:
    """Return some lines of words, and each word with the corners of its box.

    A plate has colours, RGBA; loose words are a shape, LA.
    """
    low, high = LETTERS
    size = round(low * (high / low) ** draw.random())
    font = some_font(scene.library, size, draw)
    counts = [draw.choice((1, 1, 1, 2, 2, 3)) for _ in range(draw.choice((1, 1, 2, 3)))]
    lines = [[word for _ in range(count) for word in scene.text(draw).split()] for count in counts]
    gap, margin = size * draw.uniform(0.25, 0.6), size * draw.uniform(0.2, 0.7)
    placed, y, widest = list[tuple[str, float, float, ImageFont.FreeTypeFont]](), margin, 1.0
    for line in lines:
        x = margin
        for text in line:
            placed.append((text, x, y, font))
            x += font.getlength(text) + gap
        widest, y = max(widest, x - gap + margin), y + size * draw.uniform(1.1, 1.5)
    shape = round(widest), round(y + margin)
    if draw.random() < 0.6:
        plate = (draw.randint(0, 255), draw.randint(0, 255), draw.randint(0, 255))
        layer = Image.new("RGBA", shape, (*plate, 255))
        ink: tuple[int, ...] = (*contrasting(float(np.dot((0.299, 0.587, 0.114), plate)), draw), 255)
    else:
        layer, ink = Image.new("LA", shape, (0, 0)), (255, 255)
    pen, boxes = ImageDraw.Draw(layer), list[tuple[str, Quad]]()
    for text, x, y, font in placed:
        pen.text((x, y), text, ink, font)
        left, top, right, bottom = pen.textbbox((x, y), text, font)
        boxes.append((text, ((left, top), (right, top), (right, bottom), (left, bottom))))
    return layer, boxes


def _some_quad(size: tuple[int, int], draw: Random) -> Quad:
    """Return where the corners of a sign come to lie in the picture: turned a little, and seen from the side."""
    scale = min(1.0, 0.95 * SIZE[0] / size[0], 0.9 * SIZE[1] / size[1])
    wide, high = scale * size[0], scale * size[1]
    angle = draw.gauss(0, 0.08) if draw.random() < 0.8 else draw.uniform(-0.6, 0.6)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    off = 0.12 * min(wide, high) * np.array([[draw.uniform(-1, 1), draw.uniform(-1, 1)] for _ in range(4)])
    corners = (corners + off) @ turn.T
    room = [(-float(corners[:, i].min()), SIZE[i] - float(corners[:, i].max())) for i in (0, 1)]
    middle = [draw.uniform(least, most) if least < most else SIZE[i] / 2 for i, (least, most) in enumerate(room)]
    return tuple((float(x), float(y)) for x, y in corners + middle)


def _homography(given: Sequence[tuple[float, float]], wanted: Quad) -> np.ndarray:
    """Return the projective map (3, 3) that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(given, wanted, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(values, float)), 1).reshape(3, 3)


def _through(projection: np.ndarray, point: tuple[float, float]) -> tuple[float, float]:
    x, y, w = (projection @ (*point, 1.0)).tolist()
    return x / w, y / w


def _bounds(quad: Quad) -> tuple[int, int, int, int]:
    xs, ys = zip(*quad, strict=True)
    return int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1


def _apart(one: Quad, other: Quad) -> bool:
    """Return whether the upright boxes around two quadrilaterals have nothing in common."""
    a, b = _bounds(one), _bounds(other)
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
