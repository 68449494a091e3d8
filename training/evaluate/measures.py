"""The measures of each task, for the network and for the best constant answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omninet.model.outputs import Answer, Metrics
from omninet.model.outputs.label.metrics import Confusion
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import Example
from omninet.training.evaluate.answering import Answered, answer_all, answer_data, prepare_greedy
from omninet.training.evaluate.other_photo import answer_about_others
from omninet.training.evaluate.question_only import answer_questions


@dataclass(frozen=True)
class Figure:
    """One number of the network and of the best constant answer, in percent or BLEU points."""

    name: str
    value: float
    constant: float


@dataclass(frozen=True)
class Measure:
    """How one task does.

    Attributes:
        task: or the use of it, such as ``video-caption``.
        data: name of the data set.
        name, value, constant: the headline figure.
        constant_answer: the one answer that is best if it is always given.
        count: examples measured; of tags, words.
        further: the other figures.
        confusion: of classes, where a task has few.
        question_only: the headline figure of a classifier that reads the question and sees no photo.
        other_photo: that of the network if it is asked the same about another photo; None where that was not tried.
        key: what the measures are named by in a run: the use, and the data set if it is not the first of its task.
    """

    task: str
    data: str
    name: str
    value: float
    constant: float
    constant_answer: str
    count: int
    further: tuple[Figure, ...] = ()
    confusion: Confusion | None = None
    question_only: float | None = None
    other_photo: float | None = None
    key: str = ""


def evaluate(
    predictor: Predictor, config: RunConfig, data: Path, limit: int | None = None, split: str = "dev"
) -> list[Measure]:
    """Measure every data set of a run from raw files; the arguments are those of ``answer_data``."""
    return [measure(answered) for answered in answer_data(predictor, config, data, limit, split)]


def measure(answered: Answered, official: bool = False, predictor: Predictor | None = None) -> Measure:
    """All figures of one data set, the headline first.

    Args:
        official: by published programs, too, such as COCO's for captions, which takes a Java program and 20 seconds.
        predictor: is asked all questions about other photos, too, and for texts without a beam.
    """
    examples, output = answered.examples, answered.output
    train = answered.dataset.read("train")
    constant, always = output.constant(train, examples)
    found, baseline = answered.metrics(), answered.metrics(always)
    if official and (more := output.further_metrics(examples, answered.answers)):
        found |= more
        baseline |= output.further_metrics(examples, always)
    if predictor and "beams" in output.options and predictor.config.beams > 1:
        found |= _greedy(predictor, answered)
        baseline |= {f"{name}, greedy": value for name, value in baseline.items()}
    headline, *further = (Figure(name, found[name], baseline[name]) for name in found if name in baseline)
    return Measure(
        answered.use,
        answered.data,
        headline.name,
        headline.value,
        headline.constant,
        constant,
        sum(len(e.tags) for e in examples) or len(examples),
        tuple(further),
        output.confusion(examples, answered.answers),
        _first(answered, _without_photos(answered, train)),
        _first(answered, answer_about_others(predictor, examples) if predictor and examples[0].question else []),
        answered.key,
    )


def _greedy(predictor: Predictor, answered: Answered) -> Metrics:
    """What texts are worth without a beam."""
    answers = answer_all(predictor, answered.examples, prepare_greedy, title=f"{answered.task.name}, greedy")
    return {f"{name}, greedy": value for name, value in answered.metrics(answers).items()}


def _without_photos(answered: Answered, train: Sequence[Example]) -> list[Answer]:
    """Answers from the questions alone, where there are any to learn from."""
    if not any(e.question for e in train):
        return []
    ranked = answer_questions(train, answered.examples)
    return [answer for classes in ranked if (answer := answered.output.likeliest(classes)) is not None]


def _first(answered: Answered, answers: Sequence[Answer]) -> float | None:
    """The headline figure of answers, if there are any."""
    return next(iter(answered.metrics(answers).values())) if answers else None
