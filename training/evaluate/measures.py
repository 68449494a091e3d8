"""Metrics of each task, for the network and for the best constant answer."""

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
    """One metric, of the network and of the best constant answer, in percent or BLEU points."""

    name: str
    value: float
    constant: float


@dataclass(frozen=True)
class Measure:
    """Metrics of one task on one data set.

    Attributes:
        task: task or use, such as ``video-caption``.
        data: name of the data set.
        name, value, constant: the headline metric, of the network and of the best constant answer.
        constant_answer: the best constant answer.
        count: examples evaluated; for tags, words.
        further: other metrics.
        confusion: confusion matrix, for tasks with few classes.
        question_only: headline metric of a baseline classifier that sees only the question.
        other_photo: headline metric of the network when each question is asked about another photo; None if not tested.
        key: name in evaluations during training: the use, with the data set unless it is the task's first.
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
    """Evaluate every data set of a run; for the arguments and errors see ``answer_data``."""
    return [measure(answered) for answered in answer_data(predictor, config, data, limit, split)]


def measure(answered: Answered, official: bool = False, predictor: Predictor | None = None) -> Measure:
    """Compute all metrics of one data set.

    Args:
        official: also run official programs, such as COCO's for captions, which needs Java and about 20 seconds.
        predictor: if given, also answer all questions about other photos, and decode texts without beam search.
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
    """Return the metrics of greedily decoded texts."""
    answers = answer_all(predictor, answered.examples, prepare_greedy, title=f"{answered.task.name}, greedy")
    return {f"{name}, greedy": value for name, value in answered.metrics(answers).items()}


def _without_photos(answered: Answered, train: Sequence[Example]) -> list[Answer]:
    """Return the answers of a question-only classifier; empty if there are no training questions."""
    if not any(e.question for e in train):
        return []
    ranked = answer_questions(train, answered.examples)
    return [answer for classes in ranked if (answer := answered.output.likeliest(classes)) is not None]


def _first(answered: Answered, answers: Sequence[Answer]) -> float | None:
    """Return the headline metric of answers, or None without answers."""
    return next(iter(answered.metrics(answers).values())) if answers else None
