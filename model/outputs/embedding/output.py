"""Embedding output: a vector of unit length, read at one of three exits of the network."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.options import Option
from omninet.model.errors import InputError
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.embedding.answer import Embedding
from omninet.model.outputs.embedding.exits import EXITS, reads_of
from omninet.model.outputs.embedding.retrieval import retrieval
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.head import Head
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task

GROUPS = 2**24  # training targets are float32, which holds whole numbers up to this


class EmbeddingOutput(Output):
    """Answers with a vector; examples have the name of their photo as ``truth``, which texts about it share."""

    answers = Embedding
    reads = "hidden"
    has_vocabulary: ClassVar[bool] = False
    explains: ClassVar[bool] = False
    counted: ClassVar[str] = "pairs"
    options: ClassVar[Mapping[str, Option]] = {
        "exit": Option(
            str, None, None, "Where in the network the vector is read; earlier exits are faster.", choices=EXITS
        )
    }

    @staticmethod
    def head() -> type[Head]:
        """Import and return the class of the head."""
        from omninet.model.outputs.embedding.head import EmbeddingHead

        return EmbeddingHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        """Return the goal that reads the exit of a request.

        Raises:
            InputError: ``bad_option``: there is no such exit.
        """
        name = options.get("exit") or EXITS[0]
        reads = reads_of(processor.config.network.cnp)
        if name not in reads:
            message = f"exit must be one of {', '.join(reversed(EXITS))}, not {name!r}"
            raise InputError("bad_option", message, option="exit")
        return Goal(task.name, 1, reads=reads[name])

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Embedding:
        """Return the vector and where it was read."""
        (row,), values = job.rows, decoded[0].values
        assert values is not None
        name = next(name for name, reads in reads_of(processor.config.network.cnp).items() if reads == row.goal.reads)
        return Embedding(vector=tuple(map(float, values)), width=len(values), exit=name, notes=job.notes)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[float]:  # noqa: ARG002
        """Return a number that examples of one photo share."""
        return [float(zlib.crc32(str(truth.truth).encode()) % GROUPS)]

    def line(self, answer: Embedding) -> str:
        """Return the width, the exit and the first components."""
        first = ", ".join(f"{value:.4f}" for value in answer.vector[:4])
        return f"{answer.width} numbers at the exit {answer.exit}: {first}, ..."

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Embedding]) -> Metrics:
        """Compute the recall of photos by text and of texts by photo, in percent, and median ranks."""
        return retrieval([truth.truth for truth in truths], [answer.vector for answer in answers])

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Embedding]]:  # noqa: ARG002
        """Return one vector for all inputs."""
        return "one vector for all", [Embedding(vector=(1.0,), width=1, exit=EXITS[0])] * len(truths)
