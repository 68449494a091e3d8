"""Label output: one class of a vocabulary, decoded in one step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.hypotheses import Decoded
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.label import vqa
from omninet.model.outputs.label.answer import Candidate, Label
from omninet.model.outputs.label.metrics import Confusion, classification_metrics, vqa_metrics
from omninet.model.outputs.label.schema import OWN_NAME, label_schema
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task

CANDIDATES = 5
MOST_CLASSES = 120  # of a confusion matrix: that of a thousand classes cannot be read, and its plot has gigabytes


class LabelOutput(Output):
    """Answers with the likeliest class and four further candidates."""

    answers = Label
    counted: ClassVar[str] = "answers"

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Label:
        """Return the five likeliest classes."""
        names = processor.names_of(job.task)
        found = tuple(Candidate(names[i], math.exp(value)) for i, value in decoded[0].candidates)
        explanation = processor.explanation(job, decoded[0], [found[0].label])
        return Label(found[0].label, found, job.notes, explanation)

    def is_right(self, truth: Truth, answer: Label) -> bool:
        """Return whether the label is the true one, or that of at least two annotators of ten."""
        if truth.answers:
            return vqa.accuracy(answer.label, truth.answers) >= vqa.HALF
        return answer.label == truth.answer

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the id of the label."""
        return [ids.get(truth.answer, len(ids))]

    def shares(self, truth: Truth, ids: Mapping[str, int]) -> Mapping[int, float]:
        """Return the shares of several answers of annotators by VQA accuracy, or the probabilities of a classifier.

        ``truth.truth`` holds the latter, class -> probability; their sum over known classes is made one.
        """
        found = vqa.shares(truth.answers, ids)
        if truth.truth:
            known = {ids[name]: share for name, share in truth.truth.items() if share and name in ids}
            found = {i: share / sum(known.values()) for i, share in known.items()}
        return found if len(found) > 1 else {}

    def classes(self, truth: Truth) -> tuple[str]:
        """Return the label as the only class name."""
        return (truth.answer,)

    def line(self, answer: Label) -> str:
        """Return the label."""
        return answer.label

    def text(self, answer: Label) -> str:
        """Format the candidates with their probabilities, one per line."""
        return "\n".join(f"{c.probability:6.1%}  {c.label}" for c in answer.candidates)

    def schema(self, task: Task) -> type[BaseModel]:
        """Return the model of a label under the name ``Task.answer``."""
        return label_schema(task.answer or OWN_NAME)

    def body(self, task: Task, answer: Label) -> BaseModel:
        """Convert a label; the field is named ``Task.answer``."""
        name = task.answer or OWN_NAME
        candidates = [{name: c.label, "probability": c.probability} for c in answer.candidates]
        return self.schema(task).model_validate({name: answer.label, "candidates": candidates})

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Label]) -> Metrics:
        """Compute VQA accuracy if there are questions, else top-1 and top-5 accuracy."""
        given = [answer.label for answer in answers]
        if truths[0].question is not None:
            return vqa_metrics(truths, given)
        likeliest = [[c.label for c in answer.candidates] for answer in answers]
        return classification_metrics([truth.answer for truth in truths], given, likeliest)

    def confusion(self, truths: Sequence[Truth], answers: Sequence[Label]) -> Confusion | None:
        """Return the confusion matrix; None for answers to questions, and if there are more than MOST_CLASSES."""
        if truths[0].question is not None:
            return None
        found = Confusion.of([truth.answer for truth in truths], [answer.label for answer in answers])
        return found if len(found.classes) <= MOST_CLASSES else None

    def probability(self, answer: Label) -> float:
        """Return the probability of the label."""
        return answer.candidates[0].probability

    def likeliest(self, ranked: Sequence[tuple[str, float]]) -> Label:
        """Return the label with its candidates."""
        candidates = tuple(Candidate(name, probability) for name, probability in ranked)
        return Label(candidates[0].label, candidates)

    def result(self, truth: Truth, answer: Label, image: int | str, question: int | str) -> dict[str, Any]:  # noqa: ARG002
        """Return the answer to a question in the format of the VQA evaluation server."""
        return {} if truth.question is None else {"question_id": question, "answer": answer.label}

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Label]]:
        """Return the five most frequent classes of the training data, most frequent first."""
        counts = Counter(truth.answer for truth in train).most_common(CANDIDATES)
        candidates = tuple(Candidate(name, count / len(train)) for name, count in counts)
        return candidates[0].label, [Label(candidates[0].label, candidates)] * len(truths)
