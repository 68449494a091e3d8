"""Translation output: every text of a request is decoded subword by subword until the end token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.options import TEXT_OPTIONS, Option, text_goal
from omninet.model.errors import InputError
from omninet.model.modalities.base import Form
from omninet.model.modalities.language.modality import encode_words
from omninet.model.modalities.language.segmentation import word_spans
from omninet.model.modalities.language.words import check_text
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.text.answer import written
from omninet.model.outputs.translation.answer import TranslatedText, Translation
from omninet.model.outputs.translation.schema import TranslationBody, TranslationText
from omninet.model.outputs.truth import Truth
from omninet.model.rows import Prepared, Row

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Input, Task

MOST_TEXTS = 64
TEXTS = Form(
    str | list[str],
    f"A text, or a list of at most {MOST_TEXTS} texts.",
    shape="a string or a list of strings",
    examples=("A dog runs.", ["A dog runs.", "Two men are playing football in the rain."]),
)


@dataclass(frozen=True)
class TranslationGoal(Goal):
    """The decoding settings of a text.

    Attributes:
        several: whether the request gave a list.
    """

    several: bool = False


class TranslationOutput(Output):
    """Answers with the translation of a text, or of each text of a list; each text is a row."""

    answers = Translation
    named: ClassVar[bool] = False
    explains: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = TEXT_OPTIONS
    counted: ClassVar[str] = "subwords"

    def forms(self, given: Input, forms: Mapping[str, Form]) -> Mapping[str, Form]:
        """Accept a text or several, not split into words."""
        return {"text": TEXTS} if given.role == "text" else forms

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        """Return the decoding settings from the options and the checkpoint's defaults; see ``text_goal``."""
        end, config = processor.tokenizer_of(task.name).end, processor.config
        return text_goal(task.name, end, config.text_steps, config.beams, options)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare one row for each text; a picture that they are about is in every row.

        Raises:
            InputError: ``empty_text``, ``too_many_texts``, ``text_too_long`` or ``invalid_text``; ``index`` is the
                place of the text in the list.
        """
        text = next(each for each in given if each.input.role == "text")
        beside = [each for each in given if each is not text]
        settings = {field.name: getattr(goal, field.name) for field in fields(Goal)}
        of_each = TranslationGoal(**settings, several=not isinstance(text.value, str))
        tokenizer = processor.config.network.peripherals[text.input.peripheral].tokenizer
        texts = _texts(text.value)
        found = [processor.ready(each) for each in beside]
        seen = [
            Prepared(g.input.peripheral, g.input.domain, r.value, r.frames) for g, r in zip(beside, found, strict=True)
        ]
        rows = []
        for i, each in enumerate(texts):
            words = [each[start:end] for start, end in word_spans(each)]
            try:
                subwords = encode_words(words, processor.resources, "text_too_long", f"text {i}", tokenizer)
            except InputError as error:
                raise InputError(error.code, error.message, **error.detail, index=i) from None
            rows.append(Row((Prepared(text.input.peripheral, text.input.domain, subwords), *seen), of_each, task.moves))
        job = processor.job(task, rows)
        return replace(job, notes=tuple(note for ready in found for note in ready.notes))

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Translation:
        """Convert the best hypothesis and the alternatives of each text."""
        tokenizer, goal = processor.tokenizer_of(job.task), job.rows[0].goal
        assert isinstance(goal, TranslationGoal)
        best, others, notes = [], [], list(job.notes)
        for i, row in enumerate(decoded):
            first, *rest = (Hypothesis(tuple(row.tokens), tuple(row.log_probabilities)), *row.others)
            if first.tokens[-1] != tokenizer.end:
                notes.append(f"the translation{f' of text {i}' if goal.several else ''} was cut")
            best.append(_translated(first, tokenizer))
            others.append(tuple(_translated(each, tokenizer) for each in rest))
        return Translation(tuple(best), tuple(others), goal.several, notes=tuple(notes))

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the subword ids of the reference and the end token."""
        return tokenizer.encode_output(truth.answer.strip())

    def texts(self, truth: Truth) -> tuple[str]:
        """Return the reference."""
        return (truth.answer.strip(),)

    def line(self, answer: Translation) -> str:
        """Return the translations, separated by bars."""
        return " | ".join(text.translation for text in answer.best)

    def text(self, answer: Translation) -> str:
        """Return the translations with their alternatives, one per line."""
        pairs = zip(answer.best, answer.others, strict=True)
        return "\n".join(each.translation for best, others in pairs for each in (best, *others))

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of one translation or several."""
        return TranslationBody

    def body(self, task: Task, answer: Translation) -> TranslationBody:  # noqa: ARG002
        """Convert the translations: lists for a list, otherwise those of the only text."""
        best = [TranslationText.model_validate(text) for text in answer.best]
        others = [[TranslationText.model_validate(text) for text in texts] for texts in answer.others]
        columns: dict[str, list[Any]] = {
            name: [getattr(text, name) for text in best] for name in TranslationText.model_fields
        } | {"alternatives": others}
        return TranslationBody(**(columns if answer.several else {name: values[0] for name, values in columns.items()}))

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Translation]) -> Metrics:
        """Compute BLEU (13a tokenisation, cased) and chrF by sacrebleu."""
        from omninet.model.outputs.translation.scores import translation_scores

        return translation_scores([answer.best[0].translation for answer in answers], [t.answer for t in truths])

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Translation]]:
        """Return the training text with the highest BLEU-4 as a constant answer."""
        from omninet.model.outputs.text.bleu import best_constant

        constant, _ = best_constant((truth.answer for truth in train), [(truth.answer,) for truth in truths])
        return constant, [Translation((TranslatedText(constant, 0.0, ()),), ((),))] * len(truths)


def _translated(found: Hypothesis, tokenizer: Tokenizer) -> TranslatedText:
    text = written(found, tokenizer)
    return TranslatedText(text.caption, text.log_probability, text.tokens)


def _texts(value: Any) -> list[str]:
    """Return the texts of a request.

    Raises:
        InputError: see ``TranslationOutput.prepare``.
    """
    texts = [value] if isinstance(value, str) else list(value)
    if not texts:
        raise InputError("empty_text", "the list of texts is empty; send at least one text")
    if len(texts) > MOST_TEXTS:
        message = f"{len(texts)} texts are given; at most {MOST_TEXTS} are accepted"
        raise InputError("too_many_texts", message, texts=len(texts), limit=MOST_TEXTS)
    for i, text in enumerate(texts):
        if not text.strip():
            raise InputError("empty_text", f"text {i} is empty; send at least one word", index=i)
    check_text(texts)
    return texts
