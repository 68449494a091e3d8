"""What every kind of output offers. Nothing here imports torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from pydantic import BaseModel, create_model

from omninet.model.decoding.goal import Goal, Reads
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.options import Option
from omninet.model.modalities.base import Form
from omninet.model.outputs.answer import Answer
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.head import Head
    from omninet.model.outputs.label.metrics import Confusion
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Input, Task

Metrics = dict[str, float]
ABOUT = {"notes", "explanation"}  # fields of every answer, which every reply carries


def schema_of(answer: type[Any]) -> type[BaseModel]:
    """Return the pydantic model of a dataclass of answers, without what is said about every answer."""
    hints = get_type_hints(answer)
    named: dict[str, Any] = {f.name: (hints[f.name], ...) for f in fields(answer) if f.name not in ABOUT}
    return create_model(f"{answer.__name__}Body", __doc__=answer.__doc__, **named)


class Output(ABC):
    """Everything about one kind of answer, but for the head that a network has for it.

    Attributes:
        answers: frozen dataclass of its answers; its fields but ``notes`` and ``explanation`` are the JSON.
        reads: what of the network an answer is made of; see Goal.
        has_vocabulary: whether it chooses among the classes of a vocabulary.
        named: whether these have names of their own, which the checkpoint keeps; others are subwords.
        options: what a request may say of the decoding, by name.
        explains: whether an answer can say what the network attended to.
        streams: whether parts of an answer are sent as soon as they are settled.
        counted: what several of its targets are called.
    """

    answers: ClassVar[type[Any]]
    reads: ClassVar[Reads] = "classes"
    has_vocabulary: ClassVar[bool] = True
    named: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {}
    explains: ClassVar[bool] = True
    streams: ClassVar[bool] = False
    counted: ClassVar[str]

    @staticmethod
    def head() -> type[Head]:
        """Import and return the module that a network has for a task of this output."""
        from omninet.model.outputs.head import ClassHead

        return ClassHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:  # noqa: ARG002
        """Return what a row is to decode: one output, where nothing else is said."""
        return Goal(task.name, 1, reads=self.reads)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Make the rows of a request: one, of all inputs, where nothing else is said."""
        return processor.one_row(task, given, goal)

    def forms(self, given: Input, forms: Mapping[str, Form]) -> Mapping[str, Form]:  # noqa: ARG002
        """Return the forms in which it takes an input, by keyword; by default those of the modality."""
        return forms

    @abstractmethod
    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Turn what a request's rows have decoded into an answer."""

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> Sequence[float]:  # noqa: ARG002
        """Return what is right as the head's loss takes it: by default the one number ``truth.truth``.

        Args:
            ids: name of each class -> its id, for outputs with a vocabulary; a class that is not in it is the one
                after the last. Empty where classes are subwords.
        """
        return [truth.truth]

    def classes(self, truth: Truth) -> Sequence[str]:
        """Return the names of the classes of what is right, of which training makes the vocabulary."""
        raise NotImplementedError(f"{type(self).__name__} names no classes")

    def texts(self, truth: Truth) -> Sequence[str]:  # noqa: ARG002
        """Return what is right as it would be written in subwords, to which training fits these; by default nothing."""
        return ()

    def line(self, answer: Any) -> str:
        """Write an answer in one line, for logs and tables: by default its fields."""
        return " ".join(str(getattr(answer, f.name)) for f in fields(answer) if f.name not in ABOUT)

    def text(self, answer: Any) -> str:
        """Write an answer for a terminal."""
        return self.line(answer)

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the JSON of an answer, as a pydantic model: by default the fields of the dataclass."""
        return self._schema

    @cached_property
    def _schema(self) -> type[BaseModel]:
        return schema_of(self.answers)

    def body(self, task: Task, answer: Any) -> BaseModel:
        """Return an answer as an object of ``schema``."""
        return self.schema(task).model_validate(answer, from_attributes=True)

    def parts(self, answer: Any) -> Sequence[BaseModel]:  # noqa: ARG002
        """Return the JSON of each part of an answer, or of what is settled of one; only where ``streams``."""
        return ()

    @abstractmethod
    def metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:
        """Measure the answers to a whole data set, the headline first."""

    @abstractmethod
    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, Sequence[Answer]]:
        """Return the answer that is best if it is always given, and it for each of ``truths``."""

    def confusion(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Confusion | None:  # noqa: ARG002
        """Count which class was given where which was wanted; None where there are too many, or none."""
        return None

    def probability(self, answer: Any) -> float:
        """Return how likely the network finds an answer, from 0 to 1."""
        raise NotImplementedError(f"{type(self).__name__} gives no probability")

    def likeliest(self, ranked: Sequence[tuple[str, float]]) -> Answer | None:  # noqa: ARG002
        """Return the answer that classes with their probabilities make, the best first; None if it is more than one."""
        return None

    def result(self, truth: Truth, answer: Any, image: int | str, question: int | str) -> dict[str, Any]:  # noqa: ARG002
        """Return an example's entry in the files that public evaluation servers take; empty where there is no server.

        Args:
            image, question: how the data set numbers them.
        """
        return {}

    def further_metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:  # noqa: ARG002
        """Measure by published programs that take long; nothing where there are none."""
        return {}
