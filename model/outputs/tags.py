"""A class for every word of a text, a step each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from model.answers import TaggedWord, Tagging
from model.decoding import Decoded
from model.outputs.base import Output, Truth

if TYPE_CHECKING:
    from model.processor import Job, Processor
    from model.text import Tokenizer


class TagsOutput(Output):
    """Every word with its tag; how many steps a row takes is how many words its sentence has."""

    by_word: ClassVar[bool] = True
    counted: ClassVar[str] = "words"

    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Tagging:
        """Name the tag of each word of each sentence."""
        names = processor.names_of(job.task)
        tagged = [
            tuple(
                TaggedWord(word.text, word.start, word.end, names[tag], math.exp(value))
                for word, tag, value in zip(words, row.tokens, row.log_probabilities, strict=True)
            )
            for words, row in zip(job.sentences, decoded, strict=True)
        ]
        return Tagging(tuple(tagged), job.notes)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """One class for each word."""
        return [ids.get(tag, len(ids)) for tag in truth.tags]
