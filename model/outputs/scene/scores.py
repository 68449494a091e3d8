"""How much of what is written is found and read. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.model.outputs.scene.answer import PlacedWord, Point
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.model.outputs.word.scores import plain


def spotting_scores(truths: Sequence[Sequence[WrittenWord]], given: Sequence[Sequence[PlacedWord]]) -> dict[str, float]:
    """Return precision, recall and their harmonic mean in percent, of words that are found and read, and only found.

    A word is found if its point lies in the polygon of a true word that no likelier word has taken, and read if the
    letters and digits are those that are written, in any case. Words whose point lies in a region that cannot be read
    do not count, as in ICDAR 2015 (Karatzas et al. 2015); points take the place of overlaps, as in SPTS (Peng et al.
    2022).
    """
    found: dict[str, float] = {}
    for name, reads in (("", True), ("found: ", False)):
        right = sum(len(matches(truth, words, reads)) for truth, words in zip(truths, given, strict=True))
        counted = sum(len(_counted(truth, words)) for truth, words in zip(truths, given, strict=True))
        wanted = sum(word.text is not None for truth in truths for word in truth)
        precision, recall = 100 * right / max(counted, 1), 100 * right / max(wanted, 1)
        mean = 2 * precision * recall / (precision + recall) if right else 0.0
        found |= {f"{name}H-mean": mean, f"{name}precision": precision, f"{name}recall": recall}
    return found


def matches(truth: Sequence[WrittenWord], words: Sequence[PlacedWord], reads: bool = True) -> list[PlacedWord]:
    """Return the words that are right; see ``spotting_scores``.

    Args:
        reads: whether they have to be read as well.
    """
    free = [word for word in truth if word.text is not None]
    right = []
    for word in sorted(words, key=lambda each: -each.probability):
        hit = next((each for each in free if is_inside(word.point, each.corners) and _agrees(each, word, reads)), None)
        if hit is not None:
            free.remove(hit)
            right.append(word)
    return right


def is_inside(point: Point, corners: Sequence[Point]) -> bool:
    """Return whether a point is inside of a polygon, or on the left or top edge of it (even-odd rule)."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def _agrees(true: WrittenWord, given: PlacedWord, reads: bool) -> bool:
    return not reads or plain(true.text or "") == plain(given.text)


def _counted(truth: Sequence[WrittenWord], words: Sequence[PlacedWord]) -> list[PlacedWord]:
    """Return the words that are found, or in no region that cannot be read."""
    ignored = [word.corners for word in truth if word.text is None]
    found = matches(truth, words, reads=False)
    return [w for w in words if w in found or not any(is_inside(w.point, corners) for corners in ignored)]
