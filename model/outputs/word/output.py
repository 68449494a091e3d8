"""Word output: what is written in a picture of one word or line, character by character until the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.goal import Goal
from omninet.model.errors import ConfigError
from omninet.model.modalities.line import LineModality
from omninet.model.outputs.base import Metrics
from omninet.model.outputs.transcript.answer import SpokenText, Transcript
from omninet.model.outputs.transcript.output import TranscriptOutput, said, within
from omninet.model.outputs.truth import Truth
from omninet.model.outputs.word.schema import WordBody
from omninet.model.outputs.word.scores import plain, word_scores

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Task


class WordOutput(TranscriptOutput):
    """Answers with the likeliest text of a picture of a word; decoded and scored as transcripts are."""

    explains: ClassVar[bool] = True

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare one row, whose text has at most a character for each time step."""
        (written,) = given
        modality = processor.modalities[written.input.peripheral]
        if not isinstance(modality, LineModality):
            raise ConfigError(f"task {task.name}: its input {written.input.role} must be the picture of a line")
        return processor.one_row(task, given, within(goal, modality.config.steps))

    def is_right(self, truth: Truth, answer: Transcript) -> bool:
        """Return whether the letters and digits are those that are written, in any case."""
        return plain(answer.best.text) == plain(said(truth))

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of a text and its alternatives."""
        return WordBody

    def body(self, task: Task, answer: Transcript) -> BaseModel:  # noqa: ARG002
        """Convert the text with its tokens and alternatives."""
        fields = _fields(answer.best) | {"tokens": answer.best.tokens}
        return WordBody.model_validate(
            fields | {"alternatives": [_fields(each) for each in answer.alternatives]}, from_attributes=True
        )

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Transcript]) -> Metrics:
        """Compute the shares of words that are right."""
        return word_scores([answer.best.text for answer in answers], [said(truth) for truth in truths])


def _fields(text: SpokenText) -> dict[str, Any]:
    return {"text": text.text, "probability": math.exp(text.log_probability)}
