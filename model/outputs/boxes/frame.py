"""Coordinates of the picture that was sent, and of the square that the network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from omninet.model.errors import InputError
from omninet.model.modalities.vision.config import Framed
from omninet.model.outputs.boxes.metrics import Box

MOST_CANDIDATES = 100


def to_square(box: Box, framed: Framed) -> Box:
    """Convert a box from fractions of the picture to fractions of the square; parts outside are cut off."""
    left, top, width, height = framed.covered()
    return _clipped(
        ((box[0] - left) / width, (box[1] - top) / height, (box[2] - left) / width, (box[3] - top) / height)
    )


def to_picture(box: Box, framed: Framed) -> Box:
    """Convert a box from fractions of the square to fractions of the picture; padding is cut off."""
    left, top, width, height = framed.covered()
    return _clipped((left + box[0] * width, top + box[1] * height, left + box[2] * width, top + box[3] * height))


def pixels(relative: Box, framed: Framed) -> Box:
    """Convert fractions of the picture to its pixels, rounded to tenths."""
    width, height = framed.size
    x1, y1, x2, y2 = (
        round(value * length, 1) for value, length in zip(relative, (width, height, width, height), strict=True)
    )
    return x1, y1, x2, y2


def read_candidates(given: Any) -> tuple[Box, ...]:
    """Check the shape of the boxes of a request.

    Raises:
        InputError: ``bad_option``: they are no boxes, none or too many.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise _bad(f"candidates must be a list of boxes, not {given!r:.60}")
    if not 0 < len(given) <= MOST_CANDIDATES:
        raise _bad(f"candidates must be 1 to {MOST_CANDIDATES} boxes, not {len(given)}")
    return tuple(_checked(box, f"candidates[{number}]") for number, box in enumerate(given))


def _checked(box: Any, where: str) -> Box:
    is_list = isinstance(box, Sequence) and not isinstance(box, str)
    if not is_list or len(box) != 4 or not all(map(_is_number, box)):
        raise _bad(f"{where} must be four finite numbers x1, y1, x2, y2, not {box!r:.60}")
    x1, y1, x2, y2 = map(float, box)
    if x1 >= x2 or y1 >= y2:
        raise _bad(f"{where} must have x1 < x2 and y1 < y2, not {x1:g}, {y1:g}, {x2:g}, {y2:g}")
    return x1, y1, x2, y2


def inside(candidates: Sequence[Box], framed: Framed) -> list[Box]:
    """Convert boxes from pixels of the picture to fractions of it.

    Raises:
        InputError: ``bad_option``: a box is not inside of the picture.
    """
    width, height = framed.size
    for number, (x1, y1, x2, y2) in enumerate(candidates):
        if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            raise _bad(f"candidates[{number}] must lie inside of the picture of {width} x {height} pixels")
    return [(x1 / width, y1 / height, x2 / width, y2 / height) for x1, y1, x2, y2 in candidates]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _bad(message: str) -> InputError:
    return InputError("bad_option", message, option="candidates")


def _clipped(box: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in box)
    return x1, y1, x2, y2
