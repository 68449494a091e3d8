"""The measures of each task, for the network and for the best constant answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.outputs.answer import Answer
from model.outputs.label.metrics import Confusion
from model.outputs.text import captions
from model.predictor import Predictor
from training.config import RunConfig
from training.data import Example
from training.evaluate.answering import Answered, answer_all, answer_data, prepare_greedy
from training.evaluate.constants import CONSTANTS
from training.evaluate.other_photo import answer_about_others
from training.evaluate.question_only import answer_questions
from training.evaluate.scores import Figures, pairs, score, written


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
        official: captions also as COCO's evaluation has it, which takes a Java program and 20 seconds.
        predictor: is asked all questions about other photos, too, and for captions without a beam.
    """
    examples, answers, task = answered.examples, answered.answers, answered.examples[0].task
    train = answered.dataset.read("train")
    constant, always = CONSTANTS[task](train, examples)
    found, baseline = score(examples, answers), score(examples, always)
    if task == "caption" and official and (more := captions.score_official(*written(examples, answers))):
        found |= more
        baseline |= captions.score_official(*written(examples, always))
    if task == "caption" and predictor and predictor.config.beams > 1:
        found |= _greedy(predictor, examples)
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
        Confusion.of(*pairs(examples, answers)) if task == "activity" else None,
        _first(examples, _without_photos(train, examples)),
        _first(examples, answer_about_others(predictor, examples) if predictor and task == "vqa" else []),
        answered.key,
    )


def _greedy(predictor: Predictor, examples: Sequence[Example]) -> Figures:
    """What captions are worth without a beam."""
    answers = answer_all(predictor, examples, prepare_greedy, title="caption, greedy")
    return {f"{name}, greedy": value for name, value in score(examples, answers).items()}


def _without_photos(train: Sequence[Example], examples: Sequence[Example]) -> list[Answer]:
    """Answers from the questions alone, where there are any to learn from."""
    return answer_questions(train, examples) if any(e.question for e in train) else []


def _first(examples: Sequence[Example], answers: Sequence[Answer]) -> float | None:
    """The headline figure of answers, if there are any."""
    return next(iter(score(examples, answers).values())) if answers else None
