"""The measures of each task, for the network and for the best constant answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.predictor import Predictor
from training.config import RunConfig
from training.evaluate.answering import Answered, answer_data
from training.evaluate.constants import CONSTANTS
from training.evaluate.scores import pairs, score, written
from training.metrics import captions
from training.metrics.labels import Confusion


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
        data: name of the data set's folder.
        name, value, constant: the headline figure.
        constant_answer: the one answer that is best if it is always given.
        count: examples measured; of tags, words.
        further: the other figures.
        confusion: of classes, where a task has few.
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


def evaluate(
    predictor: Predictor, config: RunConfig, data: Path, limit: int | None = None, split: str = "dev"
) -> list[Measure]:
    """Measure every task of a run from raw files; the arguments are those of ``answer_data``."""
    return [measure(answered) for answered in answer_data(predictor, config, data, limit, split)]


def measure(answered: Answered, official: bool = False) -> Measure:
    """All figures of one task, the headline first.

    Args:
        official: captions also as COCO's evaluation has it, which takes a Java program and 20 seconds.
    """
    examples, answers, task = answered.examples, answered.answers, answered.examples[0].task
    constant, always = CONSTANTS[task](answered.dataset.read("train"), examples)
    found, baseline = score(examples, answers), score(examples, always)
    if task == "caption" and official and (more := captions.score_official(*written(examples, answers))):
        found |= more
        baseline |= captions.score_official(*written(examples, always))
    headline, *further = (Figure(name, found[name], baseline[name]) for name in found if name in baseline)
    return Measure(
        answered.use,
        answered.dataset.folder.name,
        headline.name,
        headline.value,
        headline.constant,
        constant,
        sum(len(e.tags) for e in examples) or len(examples),
        tuple(further),
        Confusion.of(*pairs(examples, answers)) if task == "activity" else None,
    )
