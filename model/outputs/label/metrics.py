"""Measures of labels: single ones, the likeliest few, tags of words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from omninet.model.outputs.base import Metrics
from omninet.model.outputs.label import vqa
from omninet.model.outputs.truth import Truth


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


ANSWER_TYPES = ("yes/no", "number", "other")


def answers_to_questions(truths: Sequence[Truth], given: Sequence[str]) -> Metrics:
    """Measure by ten annotators where there are any, else by exact answers; of each type of question that is known."""
    credit = [
        vqa.accuracy(answer, truth.answers) if truth.answers else float(answer == truth.answer)
        for truth, answer in zip(truths, given, strict=True)
    ]
    found = {"VQA accuracy" if truths[0].answers else "accuracy": 100 * sum(credit) / len(credit)}
    for kind in ANSWER_TYPES:
        of_kind = [value for truth, value in zip(truths, credit, strict=True) if truth.answer_type == kind]
        if of_kind:
            found[kind] = 100 * sum(of_kind) / len(of_kind)
    return found


def classes_of_what_is_seen(wanted: Sequence[str], given: Sequence[str], likeliest: Sequence[Sequence[str]]) -> Metrics:
    """Measure the first class, the likeliest five, and the classes one by one."""
    return {
        "top-1": accuracy(wanted, given),
        "top-5": top(wanted, likeliest, 5),
        "mean recall of classes": macro_recall(wanted, given),
    }
