"""What every kind of output offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import Tensor

from model.answers import Answer
from model.decoding import Decoded, Goal, TextOptions

if TYPE_CHECKING:
    from model.processor import Job, Processor
    from model.tasks import Task
    from model.text import Tokenizer


class Truth(Protocol):
    """What is right for one example."""

    @property
    def answer(self) -> str:
        """The label, or one of the right texts."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """One for each word."""
        ...


class Output(ABC):
    """Everything about one kind of answer: the goal of decoding, the target and the loss of training, the words.

    Attributes:
        named: whether the classes have names of their own, which the checkpoint keeps; others are subwords.
        by_word: whether a text is split into sentences and words, with a row for each sentence.
        has_options: whether a request may say how it is decoded (``TextOptions``).
        counted: what several of its targets are called.
    """

    named: ClassVar[bool] = True
    by_word: ClassVar[bool] = False
    has_options: ClassVar[bool] = False
    counted: ClassVar[str]

    def goal(self, task: Task, processor: Processor, options: TextOptions) -> Goal:  # noqa: ARG002
        """Return what a row is to decode: one output, where nothing else is said."""
        return Goal(task.name, 1)

    @abstractmethod
    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Turn the class ids of a request's rows into words."""

    @abstractmethod
    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:
        """Return the class ids of what is right; a class that is not in ``ids`` is the one after the last.

        Args:
            ids: name of each class -> its id; empty where classes are subwords.
        """

    def loss(self, log_probabilities: Tensor, targets: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return the terms of the loss by name, each summed over the real targets.

        Args:
            log_probabilities: (b, n, c).
            targets, mask: class ids, and false at padding, (b, n).
        """
        chosen = log_probabilities.gather(-1, targets[..., None])[..., 0]
        return {"nll": -torch.where(mask, chosen, torch.zeros_like(chosen)).sum()}
