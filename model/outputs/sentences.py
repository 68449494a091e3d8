"""Base class of outputs that decode every sentence of a text on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from omninet.model.decoding.goal import Goal
from omninet.model.modalities.base import Form
from omninet.model.modalities.language.modality import encode_words
from omninet.model.modalities.language.words import given_words, split_text
from omninet.model.outputs.base import Output
from omninet.model.rows import Prepared, Row

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Input, Task

FORMS = {
    "text": Form(
        str | list[str],
        "A string or a list of strings; each may hold several sentences.",
        shape="a string or a list of strings",
        examples=("She saw a dog. It ran away.", ["Time flies.", "Fruit flies like a banana."]),
    ),
    "tokens": Form(
        list[str] | list[list[str]],
        "A sentence, or several, already split into words.",
        shape="a list of words or a list of lists of words",
        examples=(["A", "dog", "runs", "."],),
    ),
}


class SentencesOutput(Output):
    """An output whose rows are the sentences of a text, each a sequence of words."""

    explains: ClassVar[bool] = False

    def forms(self, given: Input, forms: Mapping[str, Form]) -> Mapping[str, Form]:  # noqa: ARG002
        """Accept several texts or sentences as well."""
        return {keyword: FORMS.get(keyword, form) for keyword, form in forms.items()}

    def goal_of(self, processor: Processor, goal: Goal, words: int) -> Goal:
        """Return the decoding settings of a sentence, from those of the request.

        Args:
            words: number of its words.
        """
        raise NotImplementedError

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare one row for each sentence of the text."""
        (text,) = given
        language = processor.config.network.peripherals[text.input.peripheral]
        sentences = given_words(text.value) if text.form == "tokens" else split_text(text.value)
        rows = []
        for words in sentences:
            spelled = [word.text for word in words]
            subwords = encode_words(
                spelled, processor.resources, "text_too_long", "a sentence of the text", language.tokenizer
            )
            prepared = Prepared(text.input.peripheral, text.input.domain, subwords)
            rows.append(Row((prepared,), self.goal_of(processor, goal, len(words)), task.moves))
        return processor.job(task, rows, sentences)
