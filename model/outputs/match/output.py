"""Match output: one of two classes, decoded in one step; the answer is the log-odds of ``MATCH``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from omninet.model.decoding.hypotheses import Decoded
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.label.metrics import accuracy
from omninet.model.outputs.match.answer import Match
from omninet.model.outputs.match.metrics import area_under_curve
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Processor

MATCH, NO_MATCH = "match", "no-match"


class MatchOutput(Output):
    """Answers with the log-odds and the probability that the inputs match."""

    answers = Match
    fixed: ClassVar[tuple[str, ...]] = (MATCH, NO_MATCH)
    counted: ClassVar[str] = "pairs"

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Match:
        """Return the log-odds of the class ``MATCH``."""
        names = processor.names_of(job.task)
        values = {names[i]: value for i, value in decoded[0].candidates}
        score = values[MATCH] - values[NO_MATCH]
        explanation = processor.explanation(job, decoded[0], [names[decoded[0].tokens[0]]])
        return Match(score=score, probability=math.exp(values[MATCH]), notes=job.notes, explanation=explanation)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the id of the true class."""
        return [ids.get(truth.answer, len(ids))]

    def classes(self, truth: Truth) -> tuple[()]:  # noqa: ARG002
        """Return nothing: the classes are ``fixed``."""
        return ()

    def line(self, answer: Match) -> str:
        """Return the likelier class and the probability of a match."""
        return f"{_class(answer)} ({answer.probability:.1%})"

    def is_right(self, truth: Truth, answer: Match) -> bool:
        """Return whether the likelier class is the true one."""
        return _class(answer) == truth.answer

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Match]) -> Metrics:
        """Compute accuracy and the area under the ROC curve, in percent."""
        right = [truth.answer == MATCH for truth in truths]
        return {
            "accuracy": accuracy([truth.answer for truth in truths], list(map(_class, answers))),
            "AUC": 100 * area_under_curve([answer.score for answer in answers], right),
        }

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Match]]:
        """Return the more frequent class of the training data."""
        name, _ = Counter(truth.answer for truth in train).most_common(1)[0]
        probability = sum(truth.answer == MATCH for truth in train) / len(train)
        return name, [Match(score=1.0 if name == MATCH else -1.0, probability=probability)] * len(truths)

    def probability(self, answer: Match) -> float:
        """Return the probability of the likelier class."""
        return max(answer.probability, 1 - answer.probability)


def _class(answer: Match) -> str:
    return MATCH if answer.score > 0 else NO_MATCH
