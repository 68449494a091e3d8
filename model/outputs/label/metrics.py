"""Metrics of labels and tags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from omninet.model.outputs.base import Metrics
from omninet.model.outputs.label import vqa
from omninet.model.outputs.truth import Truth


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix.

    Attributes:
        classes: all classes in the truth or the predictions, sorted.
        counts: (classes, classes): rows are true classes, columns are predicted classes.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, wanted: Sequence[str], given: Sequence[str]) -> Confusion:
        """Count pairs of true and predicted classes."""
        classes = tuple(sorted({*wanted, *given}))
        rows = {name: dict.fromkeys(classes, 0) for name in classes}
        for right, label in zip(wanted, given, strict=True):
            rows[right][label] += 1
        return cls(classes, tuple(tuple(row.values()) for row in rows.values()))


def accuracy(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Return the accuracy in percent."""
    return 100 * sum(label == guess for label, guess in zip(wanted, given, strict=True)) / len(wanted)


def top(wanted: Sequence[str], given: Sequence[Sequence[str]], count: int) -> float:
    """Return the top-``count`` accuracy in percent; ``given`` lists classes best first."""
    right = sum(label in labels[:count] for label, labels in zip(wanted, given, strict=True))
    return 100 * right / len(wanted)


def macro_recall(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Return the recall in percent, averaged over the true classes."""
    right: dict[str, list[bool]] = defaultdict(list)
    for label, guess in zip(wanted, given, strict=True):
        right[label].append(label == guess)
    return 100 * sum(sum(hits) / len(hits) for hits in right.values()) / len(right)


def consistency(sentences: Sequence[str], right: Sequence[bool]) -> float:
    """Return the share in percent of the distinct sentences whose answers are all right (Suhr et al. 2019, NLVR2).

    Args:
        sentences: id of the sentence of each answer; a sentence is asked about several pictures.
    """
    whole: dict[str, bool] = {}
    for sentence, is_right in zip(sentences, right, strict=True):
        whole[sentence] = whole.get(sentence, True) and is_right
    return 100 * sum(whole.values()) / len(whole)


ANSWER_TYPES = ("yes/no", "number", "other")


def vqa_metrics(truths: Sequence[Truth], given: Sequence[str]) -> Metrics:
    """Return the VQA accuracy, or the accuracy if there are no annotators, overall and per type of question."""
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


def classification_metrics(wanted: Sequence[str], given: Sequence[str], likeliest: Sequence[Sequence[str]]) -> Metrics:
    """Return top-1 and top-5 accuracy and the mean recall of classes, in percent."""
    return {
        "top-1": accuracy(wanted, given),
        "top-5": top(wanted, likeliest, 5),
        "mean recall of classes": macro_recall(wanted, given),
    }
