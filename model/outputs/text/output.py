"""Text output: decoded subword by subword until the end token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.confidence.confidence import words_of
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.options import TEXT_OPTIONS, Option, text_goal
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.text.answer import Caption, Text, written
from omninet.model.outputs.text.schema import CaptionBody, Token
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task


class TextOutput(Output):
    """Answers with the best text and, with ``n_best``, alternatives."""

    answers = Caption
    named: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = TEXT_OPTIONS
    streams: ClassVar[bool] = True
    counted: ClassVar[str] = "subwords"

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        """Return the decoding settings from the options and the checkpoint's defaults; see ``text_goal``."""
        config = processor.config
        end = processor.tokenizer_of(task.name).end
        return text_goal(task.name, end, config.text_steps, config.beams, options)

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Caption:
        """Convert the best hypothesis and the alternatives to text."""
        (row,), tokenizer = decoded, processor.tokenizer_of(job.task)
        found = Hypothesis(tuple(row.tokens), tuple(row.log_probabilities))
        best, *others = (written(each, tokenizer) for each in (found, *row.others))
        notes = [*job.notes]
        if found.tokens[-1] != tokenizer.end:
            notes.append(f"the text was cut at {len(best.tokens)} subwords")
        if (count := 1 + len(others)) < (wanted := job.rows[0].goal.best):
            notes.append(f"n_best: {count} of {wanted}, since no more different texts exist")
        explanation = processor.explanation(job, row, [piece.text for piece in best.tokens])
        return Caption(best.caption, best.log_probability, best.tokens, tuple(notes), tuple(others), explanation)

    def evidence(self, processor: Processor, task: Task, row: Decoded) -> float:
        """Return the log-odds that a noun of the text is in a caption of the picture, or the mean log-probability."""
        presence = processor.confidences[task.name].presence if task.name in processor.confidences else None
        if presence is not None and row.pooled is not None:
            found = Hypothesis(tuple(row.tokens), tuple(row.log_probabilities))
            return presence.log_odds(written(found, processor.tokenizer_of(task.name)).caption, row.pooled)
        return sum(row.log_probabilities) / len(row.log_probabilities)

    def is_right(self, truth: Truth, answer: Caption) -> bool:
        """Return whether the text is one of the references, apart from case and punctuation."""
        return words_of(answer.caption) in [words_of(reference) for reference in truth.captions]

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the subword ids of a reference text and the end token."""
        return tokenizer.encode_output(plain_text(truth.answer))

    def texts(self, truth: Truth) -> tuple[str]:
        """Return a reference text."""
        return (plain_text(truth.answer),)

    def line(self, answer: Caption) -> str:
        """Return the text."""
        return answer.caption

    def text(self, answer: Caption) -> str:
        """Format the text and its alternatives, one per line."""
        return "\n".join([answer.caption, *(other.caption for other in answer.alternatives)])

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of a text and its alternatives."""
        return CaptionBody

    def body(self, task: Task, answer: Caption) -> CaptionBody:  # noqa: ARG002
        """Convert the text with its tokens and alternatives."""
        return CaptionBody.model_validate(answer)

    def parts(self, answer: Text) -> list[Token]:
        """Return the subwords."""
        return [Token.model_validate(piece) for piece in answer.tokens]

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Caption]) -> Metrics:
        """Compute BLEU, ROUGE-L and CIDEr."""
        from omninet.model.outputs.text import captions

        found = captions.score([answer.caption for answer in answers], [truth.captions for truth in truths])
        return {"BLEU-4": found.pop("BLEU-4")} | found

    def further_metrics(self, truths: Sequence[Truth], answers: Sequence[Caption]) -> Metrics:
        """Compute the official COCO metrics; needs Java and about 20 seconds."""
        from omninet.model.outputs.text import captions

        return captions.score_official([answer.caption for answer in answers], [truth.captions for truth in truths])

    def probability(self, answer: Caption) -> float:
        """Return the geometric mean of the token probabilities; 0 without tokens."""
        return geometric_mean([piece.probability for piece in answer.tokens]) if answer.tokens else 0.0

    def result(self, truth: Truth, answer: Caption, image: int | str, question: int | str) -> dict[str, Any]:  # noqa: ARG002
        """Return the text in the format of the COCO caption evaluation server."""
        return {"image_id": image, "caption": answer.caption}

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Caption]]:
        """Return the training text with the highest BLEU-4 as a constant answer."""
        from omninet.model.outputs.text.bleu import best_constant

        constant, _ = best_constant((c for truth in train for c in truth.captions), [t.captions for t in truths])
        return constant, [Caption(constant, 0.0, ())] * len(truths)


def plain_text(text: str) -> str:
    """Remove the final full stop of a text and the spaces that tokenisation left before commas and 's."""
    return text.strip().rstrip(" .").replace(" ,", ",").replace(" 's", "'s")
