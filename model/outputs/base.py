"""What every kind of output offers. Nothing here imports torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from model.decoding.goal import Goal
from model.decoding.hypotheses import Decoded
from model.decoding.options import Option
from model.modalities.base import Form
from model.outputs.answer import Answer
from model.outputs.truth import Truth

if TYPE_CHECKING:
    from model.job import Job
    from model.modalities.language.tokenizer import Tokenizer
    from model.outputs.head import Head
    from model.processor import Given, Processor
    from model.tasks import Input, Task

Metrics = dict[str, float]


class Output(ABC):
    """Everything about one kind of answer, but for the head that a network has for it.

    Attributes:
        has_vocabulary: whether it chooses among the classes of a vocabulary.
        named: whether these have names of their own, which the checkpoint keeps; others are subwords.
        options: what a request may say of the decoding, by name.
        explains: whether an answer can say what the network attended to.
        streams: whether parts of an answer are sent as soon as they are settled.
        counted: what several of its targets are called.
    """

    has_vocabulary: ClassVar[bool] = True
    named: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {}
    explains: ClassVar[bool] = True
    streams: ClassVar[bool] = False
    counted: ClassVar[str]

    @staticmethod
    def head() -> type[Head]:
        """Import and return the module that a network has for a task of this output."""
        from model.outputs.head import ClassHead

        return ClassHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:  # noqa: ARG002
        """Return what a row is to decode: one output, where nothing else is said."""
        return Goal(task.name, 1)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Make the rows of a request: one, of all inputs, where nothing else is said."""
        return processor.one_row(task, given, goal)

    def forms(self, given: Input, forms: Mapping[str, Form]) -> Mapping[str, Form]:  # noqa: ARG002
        """Return the forms in which it takes an input, by keyword; by default those of the modality."""
        return forms

    @abstractmethod
    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Turn what a request's rows have decoded into an answer."""

    @abstractmethod
    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> Sequence[int] | Sequence[float]:
        """Return what is right as the head's loss takes it; a class that is not in ``ids`` is the one after the last.

        Args:
            ids: name of each class -> its id; empty where classes are subwords.
        """

    @abstractmethod
    def line(self, answer: Any) -> str:
        """Write an answer in one line, for logs and tables."""

    def text(self, answer: Any) -> str:
        """Write an answer for a terminal."""
        return self.line(answer)

    @abstractmethod
    def schema(self, task: Task) -> type[BaseModel]:
        """Return the JSON of an answer, as a pydantic model."""

    @abstractmethod
    def body(self, task: Task, answer: Any) -> BaseModel:
        """Return an answer as an object of ``schema``."""

    def parts(self, answer: Any) -> Sequence[BaseModel]:  # noqa: ARG002
        """Return the JSON of each part of an answer, or of what is settled of one; only where ``streams``."""
        return ()

    @abstractmethod
    def metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:
        """Measure the answers to a whole data set, the headline first."""

    @abstractmethod
    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, Sequence[Answer]]:
        """Return the answer that is best if it is always given, and it for each of ``truths``."""

    def further_metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:  # noqa: ARG002
        """Measure by published programs that take long; nothing where there are none."""
        return {}
