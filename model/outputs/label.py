"""One class out of a vocabulary, in one step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from model.answers import Candidate, Label
from model.decoding import Decoded
from model.outputs.base import Output, Truth

if TYPE_CHECKING:
    from model.processor import Job, Processor
    from model.text import Tokenizer


class LabelOutput(Output):
    """The likeliest class, and the next ones."""

    counted: ClassVar[str] = "answers"

    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Label:
        """Name the five likeliest classes."""
        names = processor.names_of(job.task)
        found = tuple(Candidate(names[i], math.exp(value)) for i, value in decoded[0].candidates)
        explanation = processor.explanation(job, decoded[0], [found[0].label])
        return Label(found[0].label, found, job.notes, explanation)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """The one class."""
        return [ids.get(truth.answer, len(ids))]
