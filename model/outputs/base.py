"""Interface of a kind of output. Does not import torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from pydantic import BaseModel, create_model

from omninet.model.confidence.confidence import log_odds
from omninet.model.decoding.goal import Goal, Reads
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
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
# Fields of all answers; every response carries them outside of the schema.
ABOUT = {"notes", "explanation", "confidence"}


def schema_of(answer: type[Any]) -> type[BaseModel]:
    """Return the pydantic model of an answer dataclass, without the fields that all answers have."""
    hints = get_type_hints(answer)
    named: dict[str, Any] = {f.name: (hints[f.name], ...) for f in fields(answer) if f.name not in ABOUT}
    return create_model(f"{answer.__name__}Body", __doc__=answer.__doc__, **named)


class Output(ABC):
    """A kind of output: decoding settings, answers, training targets and metrics. The network part is its head.

    Attributes:
        answers: frozen dataclass of the answers; the fields that not all answers have become the output's JSON.
        reads: what the output reads from the network; see Goal.
        has_vocabulary: True if the output chooses among the classes of a vocabulary.
        named: True if the classes have names, which the checkpoint stores; False if they are subwords.
        options: request options of the decoding: name -> option.
        explains: True if an answer can include the attention of the network.
        streams: True if parts of an answer can be sent before decoding ends.
        fixed: class names of every vocabulary, if they do not depend on the data.
        finds_nothing: True if an answer can be that there is nothing to find.
        counted: plural noun for the training targets, such as ``subwords``.
    """

    answers: ClassVar[type[Any]]
    reads: ClassVar[Reads] = "classes"
    has_vocabulary: ClassVar[bool] = True
    named: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {}
    explains: ClassVar[bool] = True
    streams: ClassVar[bool] = False
    fixed: ClassVar[tuple[str, ...]] = ()
    finds_nothing: ClassVar[bool] = False
    counted: ClassVar[str]

    @staticmethod
    def head() -> type[Head]:
        """Import and return the class of the network's output head (a late import, because it needs torch)."""
        from omninet.model.outputs.head import ClassHead

        return ClassHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:  # noqa: ARG002
        """Return the decoding settings of a row; by default one step."""
        return Goal(task.name, 1, reads=self.reads)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare the rows of a request; by default one row with all inputs."""
        return processor.one_row(task, given, goal)

    def forms(self, given: Input, forms: Mapping[str, Form]) -> Mapping[str, Form]:  # noqa: ARG002
        """Return the accepted forms of an input: keyword -> form; by default those of the modality."""
        return forms

    def continued(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Job | None:  # noqa: ARG002
        """Return a job with further rows that the answer needs, such as the words that were found in a picture.

        None, as by default, if the decoded rows of ``job`` suffice. Only called for jobs with ``Job.kept``.
        """
        return None

    @abstractmethod
    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Convert the decoded rows of a request to its answer."""

    def evidence(self, processor: Processor, task: Task, row: Decoded) -> float | None:  # noqa: ARG002
        """Reduce a decoded row to the number that its confidence is computed from; larger means more likely right.

        By default the log-odds of the probability of all outputs; not called for tasks without a confidence. None if
        the confidence is the ``probability`` of the answer.
        """
        return log_odds(sum(row.log_probabilities))

    def absence(self, row: Decoded) -> float:
        """Return the log-odds that there is nothing to find, for outputs with ``finds_nothing``."""
        raise NotImplementedError(f"{type(self).__name__} always finds something")

    def is_absent(self, truth: Truth) -> bool:
        """Return whether there is nothing to find, for outputs with ``finds_nothing``."""
        raise NotImplementedError(f"{type(self).__name__} always finds something")

    def is_right(self, truth: Truth, answer: Any) -> bool:
        """Return whether an answer counts as right when its confidence is calibrated."""
        raise NotImplementedError(f"{type(self).__name__} does not say which answers are right")

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> Sequence[float]:  # noqa: ARG002
        """Return the training targets of an example for the head's loss; by default the number ``truth.truth``.

        Args:
            ids: class name -> id, for outputs with named classes; an unknown class gets the id after the last, which
                never matches. Empty if the classes are subwords.
        """
        return [truth.truth]

    def shares(self, truth: Truth, ids: Mapping[str, int]) -> Mapping[int, float]:  # noqa: ARG002
        """Return a soft target: class id -> its share, which add up to 1; empty if the target is one class.

        Only for outputs with one target and a head with ``soft_loss``.

        Args:
            ids: class name -> id.
        """
        return {}

    def classes(self, truth: Truth) -> Sequence[str]:
        """Return the class names of an example's targets; training builds the vocabulary from them."""
        raise NotImplementedError(f"{type(self).__name__} has no named classes")

    def texts(self, truth: Truth) -> Sequence[str]:  # noqa: ARG002
        """Return the target texts of an example, on which training fits the subwords; by default none."""
        return ()

    def line(self, answer: Any) -> str:
        """Format an answer as one line for logs and tables; by default its fields."""
        return " ".join(str(getattr(answer, f.name)) for f in fields(answer) if f.name not in ABOUT)

    def text(self, answer: Any) -> str:
        """Format an answer for a terminal."""
        return self.line(answer)

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the pydantic model of an answer's JSON; by default the fields of the dataclass."""
        return self._schema

    @cached_property
    def _schema(self) -> type[BaseModel]:
        return schema_of(self.answers)

    def body(self, task: Task, answer: Any) -> BaseModel:
        """Convert an answer to an object of ``schema``."""
        return self.schema(task).model_validate(answer, from_attributes=True)

    def partial(self, processor: Processor, task: str, found: Hypothesis) -> Any:
        """Convert the outputs of the first row that cannot change any more to what ``parts`` takes; see ``streams``.

        By default they are subwords, and the result is their text.
        """
        from omninet.model.outputs.text.answer import written

        return written(found, processor.tokenizer_of(task))

    def parts(self, answer: Any) -> Sequence[BaseModel]:  # noqa: ARG002
        """Return the parts of a complete or partial answer for streaming; only used if ``streams``."""
        return ()

    @abstractmethod
    def metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:
        """Compute the metrics of a data set; the main metric comes first."""

    @abstractmethod
    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, Sequence[Answer]]:
        """Return the constant baseline: the best answer independent of the input, as text and as one answer per truth.

        Args:
            train: training examples, from which the constant is chosen.
            truths: examples to be answered.
        """

    def confusion(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Confusion | None:  # noqa: ARG002
        """Return the confusion matrix, or None if there are no classes or too many."""
        return None

    def probability(self, answer: Any) -> float:
        """Return the network's probability of an answer, in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} gives no probability")

    def likeliest(self, ranked: Sequence[tuple[str, float]]) -> Answer | None:  # noqa: ARG002
        """Return the answer for class probabilities, best first; None if an answer has more than one class."""
        return None

    def result(self, truth: Truth, answer: Any, image: int | str, question: int | str) -> dict[str, Any]:  # noqa: ARG002
        """Return an example's entry in the result file of a public evaluation server; empty if there is no server.

        Args:
            image, question: ids in the data set.
        """
        return {}

    def further_metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:  # noqa: ARG002
        """Compute metrics with slow external programs; by default none."""
        return {}
