"""Figures of one task's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model.outputs.answer import Answer
from model.outputs.label import metrics as labels
from model.outputs.label import vqa
from model.outputs.label.answer import Label
from model.outputs.tags.answer import Tagging
from model.outputs.text import captions
from model.outputs.text.answer import Caption
from training.data import Example

ANSWER_TYPES = ("yes/no", "number", "other")
FAMILY = "tennis "  # classes that are alike but for the motion
FAMILY_FIGURE = "tennis strokes among themselves"
Figures = dict[str, float]


def score(examples: Sequence[Example], answers: Sequence[Answer]) -> Figures:
    """Figures of one task's answers by name, the headline first."""
    return SCORES[examples[0].task](examples, answers)


def _score_captions(examples: Sequence[Example], answers: Sequence[Answer]) -> Figures:
    found = captions.score(*written(examples, answers))
    return {"BLEU-4": found.pop("BLEU-4")} | found


def _score_tags(examples: Sequence[Example], answers: Sequence[Answer]) -> Figures:
    """Of words, decoded greedily."""
    wanted = [tag for e in examples for tag in e.tags]
    given = [word.tag for a in answers if isinstance(a, Tagging) for words in a.sentences for word in words]
    recall = labels.macro_recall(wanted, given)
    return {"accuracy of words": labels.accuracy(wanted, given), "mean recall of tags": recall}


def _score_answers(examples: Sequence[Example], answers: Sequence[Answer]) -> Figures:
    """By ten annotators where there are any, exact answers otherwise; of each type of question where it is known."""
    given = [a.label for a in answers if isinstance(a, Label)]
    credit = [
        vqa.accuracy(answer, e.answers) if e.answers else float(answer == e.answer)
        for e, answer in zip(examples, given, strict=True)
    ]
    found = {"VQA accuracy" if examples[0].answers else "accuracy": 100 * sum(credit) / len(credit)}
    for kind in ANSWER_TYPES:
        of_kind = [value for e, value in zip(examples, credit, strict=True) if e.answer_type == kind]
        if of_kind:
            found[kind] = 100 * sum(of_kind) / len(of_kind)
    return found


def _score_activities(examples: Sequence[Example], answers: Sequence[Answer]) -> Figures:
    wanted, given = pairs(examples, answers)
    likeliest = [[c.label for c in a.candidates] for a in answers if isinstance(a, Label)]
    found = {
        "top-1": labels.accuracy(wanted, given),
        "top-5": labels.top(wanted, likeliest, 5),
        "mean recall of classes": labels.macro_recall(wanted, given),
    }
    return found | _score_family(wanted, likeliest)


def _score_family(wanted: Sequence[str], likeliest: Sequence[Sequence[str]]) -> Figures:
    """Top-1 of the clips of one family of classes, if only its classes could be given.

    An answer holds its five likeliest classes: the first of the family counts, and none of it is wrong.
    """
    among = [next((label for label in best if label.startswith(FAMILY)), "") for best in likeliest]
    members = [i for i, label in enumerate(wanted) if label.startswith(FAMILY)]
    if len({wanted[i] for i in members}) < 2:
        return {}
    return {FAMILY_FIGURE: labels.accuracy([wanted[i] for i in members], [among[i] for i in members])}


def written(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Captions and their references."""
    return [a.caption for a in answers if isinstance(a, Caption)], [e.captions for e in examples]


def pairs(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[list[str], list[str]]:
    """Wanted and given."""
    return [e.answer for e in examples], [a.label for a in answers if isinstance(a, Label)]


SCORES: dict[str, Callable[[Sequence[Example], Sequence[Answer]], Figures]] = {
    "caption": _score_captions,
    "pos": _score_tags,
    "vqa": _score_answers,
    "activity": _score_activities,
}
