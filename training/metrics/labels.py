"""Measures of labels: single ones, the likeliest few, tags of words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """How often each class was taken for which.

    Attributes:
        classes: all that were wanted or given, sorted.
        counts: one row for each wanted class, one column for each given.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, wanted: Sequence[str], given: Sequence[str]) -> Confusion:
        """Count pairs."""
        classes = tuple(sorted({*wanted, *given}))
        rows = {name: dict.fromkeys(classes, 0) for name in classes}
        for right, label in zip(wanted, given, strict=True):
            rows[right][label] += 1
        return cls(classes, tuple(tuple(row.values()) for row in rows.values()))


def accuracy(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Percent right."""
    return 100 * sum(label == guess for label, guess in zip(wanted, given, strict=True)) / len(wanted)


def top(wanted: Sequence[str], given: Sequence[Sequence[str]], count: int) -> float:
    """Percent of examples whose label is among the first ``count`` that were given, best first."""
    right = sum(label in labels[:count] for label, labels in zip(wanted, given, strict=True))
    return 100 * right / len(wanted)


def macro_recall(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Percent right of each class that was wanted, averaged over the classes."""
    right: dict[str, list[bool]] = defaultdict(list)
    for label, guess in zip(wanted, given, strict=True):
        right[label].append(label == guess)
    return 100 * sum(sum(hits) / len(hits) for hits in right.values()) / len(right)
