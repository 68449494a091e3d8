"""Boxes as sequences of classes (OFA, Wang et al. 2022): ``box x1 y1 x2 y2``, repeated, then ``end``.

Coordinates are BINS classes, evenly spaced over the square that the network sees. A box starts with a class of its own,
so that "is there one more box?" is a question of two classes: were it decided between ``end`` and the bins of x1, whose
probability is spread over neighbours, ``end`` would win too often. Does not import torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from omninet.model.decoding.grammar import Grammar
from omninet.model.outputs.boxes.metrics import Box

BINS = 224
BOX, END = "box", "end"
CLASSES = (*map(str, range(BINS)), BOX, END)
LENGTH = 5  # classes of a box
MOST_BOXES = 8


def bin_of(coordinate: float) -> int:
    """Return the bin of a coordinate, a fraction of the square's side; coordinates outside get the nearest one."""
    return round(min(max(coordinate, 0.0), 1.0) * (BINS - 1))


def names_of(boxes: Sequence[Box]) -> list[str]:
    """Return the classes of boxes, fractions of the square: the largest boxes first, at most MOST_BOXES."""
    largest = sorted(boxes, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))[:MOST_BOXES]
    return [*(name for box in largest for name in (BOX, *(str(bin_of(value)) for value in box))), END]


def boxes_of(names: Sequence[str]) -> Iterator[tuple[int, Box]]:
    """Yield the complete boxes of a sequence of classes, and where each begins."""
    for start in range(0, len(names) - LENGTH + 1, LENGTH):
        if names[start] == BOX:
            x1, y1, x2, y2 = (int(name) / (BINS - 1) for name in names[start + 1 : start + LENGTH])
            yield start, (x1, y1, x2, y2)


@dataclass(frozen=True)
class BoxGrammar(Grammar):
    """At least one box, with corners in the right order: x1 <= x2 and y1 <= y2.

    The probability of the first ``box`` is that of the thing's presence, so that absence can be decided afterwards.

    Attributes:
        ids: class name -> id.
    """

    ids: tuple[int, ...]

    def following(self, prefix: Sequence[int]) -> Collection[int]:
        """Return the classes that may follow a prefix."""
        bins, (box, end) = self.ids[:BINS], self.ids[BINS:]
        place = len(prefix) % LENGTH
        if not prefix:
            return (box,)
        if place == 0:
            return (end,) if len(prefix) == MOST_BOXES * LENGTH else (box, end)
        return bins if place < 3 else bins[bins.index(prefix[-2]) :]

    def is_ordered(self, prefix: Sequence[int]) -> bool:
        """Return whether a coordinate follows."""
        return len(prefix) % LENGTH > 0
