"""Pictures of three boxes with shapes, in the manner of NLVR: towers of blocks, or loose items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

BOX, GAP, BOXES = 100, 50, 3  # width and height of a box and distance of two boxes, in pixels; number of boxes
BLOCK, TALLEST = 20, 4  # side of a block in pixels; blocks of the tallest tower
SIZES = {"small": 10, "medium": 20, "big": 30}  # width and height of loose items in pixels
MOST = 7  # loose items of a box
TRIES = 30  # places tried for an item
SHAPES = ("circle", "square", "triangle")
COLOURS = {"yellow": (255, 255, 0), "black": (0, 0, 0), "blue": (0, 153, 255)}
INSIDE, BETWEEN = (211, 211, 211), (128, 128, 128)
SNAPPED = 0.17  # share of the items that stand on the bottom, and of those that lean on the right wall


@dataclass(frozen=True)
class Item:
    """A shape in a box.

    Attributes:
        shape: one of ``SHAPES``.
        colour: one of ``COLOURS``.
        x, y: its left upper corner, in pixels of the box.
        size: its width and height in pixels.
    """

    shape: str
    colour: str
    x: int
    y: int
    size: int

    @property
    def walls(self) -> frozenset[str]:
        """Return the sides of the box that it touches: ``left``, ``right``, ``top``, ``bottom``."""
        far = BOX - self.size
        touched = {"left": self.x == 0, "right": self.x == far, "top": self.y == 0, "bottom": self.y == far}
        return frozenset(side for side, touches in touched.items() if touches)

    @property
    def in_corner(self) -> bool:
        """Return whether it touches two walls that meet."""
        return bool(self.walls & {"left", "right"} and self.walls & {"top", "bottom"})

    def meets(self, other: Item) -> bool:
        """Return whether the squares around two items overlap or touch."""
        return (
            self.x <= other.x + other.size
            and other.x <= self.x + self.size
            and self.y <= other.y + other.size
            and other.y <= self.y + self.size
        )


Box = tuple[Item, ...]  # a tower's blocks from its base to its top; loose items in any order


@dataclass(frozen=True)
class Scene:
    """Three boxes.

    Attributes:
        boxes: from left to right.
        towers: whether each box has one tower; otherwise the boxes have loose items.
    """

    boxes: tuple[Box, ...]
    towers: bool

    @property
    def items(self) -> Iterator[Item]:
        """Yield the items of all boxes."""
        return (item for box in self.boxes for item in box)

    @classmethod
    def random(cls, draw: Random) -> Scene:
        """Return towers or loose items, each half of the time."""
        towers = draw.random() < 0.5
        return cls(tuple(_tower(draw) if towers else _loose(draw) for _ in range(BOXES)), towers)

    def picture(self) -> Image.Image:
        """Draw the boxes side by side."""
        picture = Image.new("RGB", (BOXES * BOX + (BOXES - 1) * GAP, BOX), BETWEEN)
        pencil = ImageDraw.Draw(picture)
        for number, box in enumerate(self.boxes):
            left = number * (BOX + GAP)
            pencil.rectangle((left, 0, left + BOX - 1, BOX - 1), INSIDE)
            for item in box:
                _draw(pencil, item, left)
        return picture


def _tower(draw: Random) -> Box:
    middle, height = (BOX - BLOCK) // 2, draw.randint(1, TALLEST)
    return tuple(
        Item("square", draw.choice(list(COLOURS)), middle, BOX - BLOCK - level * (BLOCK + 1), BLOCK)
        for level in range(height)
    )


def _loose(draw: Random) -> Box:
    items: list[Item] = []
    for _ in range(draw.randint(1, MOST)):
        for _ in range(TRIES):
            size = draw.choice(list(SIZES.values()))
            x, y = (BOX - size if draw.random() < SNAPPED else draw.randint(0, BOX - size) for _ in range(2))
            item = Item(draw.choice(SHAPES), draw.choice(list(COLOURS)), x, y, size)
            if not any(item.meets(other) for other in items):
                items.append(item)
                break
    return tuple(items)


def _draw(pencil: ImageDraw.ImageDraw, item: Item, left: int) -> None:
    x, y, far = left + item.x, item.y, item.size - 1
    colour = COLOURS[item.colour]
    if item.shape == "circle":
        pencil.ellipse((x, y, x + far, y + far), colour)
    elif item.shape == "square":
        pencil.rectangle((x, y, x + far, y + far), colour)
    else:
        pencil.polygon([(x, y + far), (x + far, y + far), (x + item.size / 2, y)], colour)
