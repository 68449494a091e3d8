"""A text, written subword by subword until the end token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from model.answers import Caption, Piece, Text
from model.decoding import Decoded, Goal, Hypothesis, TextOptions, text_goal
from model.outputs.base import Output, Truth

if TYPE_CHECKING:
    from model.processor import Job, Processor
    from model.tasks import Task
    from model.text import Tokenizer


class TextOutput(Output):
    """The best text, and the next ones where they are asked for."""

    named: ClassVar[bool] = False
    has_options: ClassVar[bool] = True
    counted: ClassVar[str] = "subwords"

    def goal(self, task: Task, processor: Processor, options: TextOptions) -> Goal:
        """Decode until the end token, as the options and the checkpoint's defaults say."""
        config = processor.config
        return text_goal(task.name, processor.tokenizer.end, config.text_steps, config.beams, options)

    def answer(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Caption:
        """Write out the best hypothesis and the next ones."""
        (row,) = decoded
        found = Hypothesis(tuple(row.tokens), tuple(row.log_probabilities))
        best, *others = (written(each, processor.tokenizer) for each in (found, *row.others))
        notes = [*job.notes]
        if found.tokens[-1] != processor.tokenizer.end:
            notes.append(f"the text was cut at {len(best.tokens)} subwords")
        if (count := 1 + len(others)) < (wanted := job.rows[0].goal.best):
            notes.append(f"n_best: {count} of {wanted}, since no more different texts exist")
        explanation = processor.explanation(job, row, [piece.text for piece in best.tokens])
        return Caption(best.caption, best.log_probability, best.tokens, tuple(notes), tuple(others), explanation)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """The subwords of a right text, and the end."""
        return tokenizer.encode_output(plain_text(truth.answer))


def written(found: Hypothesis, tokenizer: Tokenizer) -> Text:
    """Return what subwords say, without the end."""
    ids = [token for token in found.tokens if token != tokenizer.end]
    texts = tokenizer.pieces(ids)
    pieces = tuple(Piece(t, math.exp(v)) for t, v in zip(texts, found.log_probabilities, strict=False))
    return Text("".join(texts), found.total, pieces)


def plain_text(text: str) -> str:
    """Return a text without its final full stop and the space before commas that tokenisation left."""
    return text.strip().rstrip(" .").replace(" ,", ",").replace(" 's", "'s")
