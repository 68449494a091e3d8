"""Tasks, data sets, an output and a layer that the package does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from omninet.model.decoding.goal import Goal, Reads
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.job import Job
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.layers import FeedForward
from omninet.model.outputs import OUTPUTS, Answer, Output, Truth
from omninet.model.outputs.head import Head, Loss, States
from omninet.model.processor import Processor
from omninet.model.tasks import PICTURE, TASKS, TEXT, Input, Task
from omninet.training.data import DATASETS, DataSet, Example
from omninet.training.data.conllu import Conllu
from omninet.training.data.daquar import Daquar

LEFT, RIGHT = Input("left", "vision", "image"), Input("right", "eye", "image")


class Pairs(Daquar):
    """Two photos each, and whether they are one."""

    task = "same"

    def examples(self, split: str) -> list[Example]:
        """Every photo beside itself and beside the next one."""
        photos = [e.image for e in super().examples(split)]
        pairs = [(a, b) for i, a in enumerate(photos) for b in (a, photos[i - 1])]
        return [Example(self.task, {"left": a, "right": b}, "same" if a == b else "different") for a, b in pairs]


class Colours(Daquar):
    """Photos and their colours."""

    task = "colour"

    def examples(self, split: str) -> list[Example]:
        """Return one example per photo."""
        return [Example(self.task, {"image": e.image}, e.answer) for e in super().examples(split)]


class Hues(Colours):
    """The photos of Colours for another task."""

    task = "hue"

    def examples(self, split: str) -> list[Example]:
        """Return the first photo, and again with a label that Colours does not have."""
        first = super().examples(split)[0]
        return [first, Example(self.task, first.inputs, "pink")]


class Lengths(Conllu):
    """Sentences, and how many words and dots they have."""

    task = "length"

    def examples(self, split: str) -> list[Example]:
        """Return one example per sentence."""
        found = [e.words for e in super().examples(split)]
        return [Example(self.task, {"tokens": w}, truth=[float(len(w)), float(w.count("."))]) for w in found]


class Moods(Conllu):
    """Sentences, and whether they ask."""

    task = "mood"

    def examples(self, split: str) -> list[Example]:
        """Return one example per sentence."""
        return [
            Example(self.task, {"tokens": e.words}, "!" if "!" in e.words else ".") for e in super().examples(split)
        ]


@dataclass(frozen=True)
class Numbers:
    """Answer of a regression output."""

    values: tuple[float, ...]
    notes: tuple[str, ...] = ()
    explanation: None = None


class NumbersHead(Head):
    """Two numbers from the decoder's first state, and a term that keeps them small."""

    reads: ClassVar[tuple[Reads, ...]] = ("hidden", 0)

    def __init__(self, task: Task, d_model: int) -> None:
        super().__init__(task, d_model)
        self.linear = nn.Linear(d_model, 2)

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Squared error, and the squares."""
        assert states[0].mask is not None
        given = self.linear(states["hidden"].values[:, 0])
        errors = torch.where(mask, (given - targets).square(), torch.zeros_like(targets))
        return Loss({"squares": errors.sum(), "size": 1e-3 * given.square().sum()}, (errors < 0.25).sum())

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:
        """The numbers."""
        found: Tensor = self.linear(states[:, 0])
        return found


class NumbersOutput(Output):
    """Two numbers, of no vocabulary."""

    has_vocabulary = False
    counted = "numbers"

    @staticmethod
    def head() -> type[Head]:
        """Regression."""
        return NumbersHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        """One step of the decoder."""
        return Goal(task.name, 1, reads="hidden")

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Numbers:
        """The values."""
        (row,) = decoded
        assert row.values is not None
        return Numbers(tuple(map(float, row.values)))

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[float]:
        """The values."""
        return list(truth.truth)

    def line(self, answer: Numbers) -> str:
        """The values."""
        return " ".join(f"{value:.1f}" for value in answer.values)

    def schema(self, task: Task) -> type[BaseModel]:
        """None is needed."""
        raise NotImplementedError

    def body(self, task: Task, answer: Any) -> BaseModel:
        """None is needed."""
        raise NotImplementedError

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Numbers]) -> dict[str, float]:
        """Mean absolute error of the whole set."""
        pairs = [pair for t, a in zip(truths, answers, strict=True) for pair in zip(t.truth, a.values, strict=True)]
        errors = [abs(wanted - given) for wanted, given in pairs]
        return {"mean error": sum(errors) / len(errors)}

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Answer]]:
        """The means."""
        means = tuple(sum(column) / len(train) for column in zip(*(t.truth for t in train), strict=True))
        return self.line(Numbers(means)), [Numbers(means)] * len(truths)


class Balanced(FeedForward):
    """Adds a term to the loss, as mixtures of experts do."""

    def forward(self, x: Tensor, rows: Tensor | None = None, auxiliary: Auxiliary | None = None) -> Tensor:
        """(N, d) -> (N, d)."""
        changed = super().forward(x, rows)
        if auxiliary is not None:
            auxiliary.add_loss("balance", changed.square().mean())
        return changed


SETS: dict[str, type[DataSet]] = {"pairs": Pairs, "colours": Colours, "hues": Hues, "lengths": Lengths, "moods": Moods}
NOVEL = (
    Task("same", (LEFT, RIGHT), "label", "same"),
    Task("colour", (PICTURE,), "label", "colours"),
    Task("hue", (PICTURE,), "label", "colours"),
    Task("length", (TEXT,), "numbers"),
    Task("mood", (TEXT,), "label", "mood"),
)


def add(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add all of them for one test, as a user of the package would."""
    for task in NOVEL:
        monkeypatch.setitem(TASKS, task.name, task)
    for name, kind in SETS.items():
        monkeypatch.setitem(DATASETS, name, kind)
    monkeypatch.setitem(OUTPUTS, "numbers", NumbersOutput())
