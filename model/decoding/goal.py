"""The decoding settings of one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omninet.model.decoding.grammar import Grammar
from omninet.model.decoding.rules import NO_RULES, Rules
from omninet.model.decoding.sampling import Sampling

Explain = Literal["mean", "layers"]
Depth = Literal["cells"] | int
"""The spatial cache, or a layer of the temporal encoder, where 0 is the output of the peripherals."""
Reads = Literal["classes", "hidden"] | Depth


def depth_of(reads: Reads) -> Depth | None:
    """Return what is read of the encoder; None if the decoder is read."""
    return None if reads == "classes" or reads == "hidden" else reads  # noqa: PLR1714 - so that mypy understands it


@dataclass(frozen=True)
class Goal:
    """The decoding settings of one row.

    Attributes:
        steps: maximum number of tokens.
        end: end token, or None to decode exactly ``steps`` tokens.
        beams: width of the beam search, 1 is greedy; with ``sampling``, the number of distinct samples.
        best: number of finished hypotheses to return, at most ``beams``.
        rules: minimum length and repeated n-grams.
        sampling: sampling parameters; None searches for the likeliest hypothesis.
        explain: attention of the best hypothesis to return: the ``mean`` over layers and heads, or all ``layers``; None
            returns none.
        grammar: which classes may follow a prefix; None allows all.
        medians: take the median of classes that the grammar says have an order; needs one beam.
        given: sequences of class ids to score (forced decoding) instead of a search.
        reads: what the output reads: the log-probabilities of ``classes``, the ``hidden`` state of the decoder's first
            step, or, without the decoder, the ``cells`` of the spatial cache or a layer of the temporal encoder.
        aligned: share of the scores of an alignment to the input (``PrefixScores``) in those of the classes, in [0, 1);
            above 0 only for outputs whose head computes an alignment.
        pooled: return the mean of the spatial cache as well, from which the confidence of captions is computed.
    """

    task: str
    steps: int
    end: int | None = None
    beams: int = 1
    best: int = 1
    rules: Rules = NO_RULES
    sampling: Sampling | None = None
    explain: Explain | None = None
    grammar: Grammar | None = None
    medians: bool = False
    given: tuple[tuple[int, ...], ...] = ()
    reads: Reads = "classes"
    aligned: float = 0.0
    pooled: bool = False

    @property
    def depth(self) -> Depth | None:
        """What the output reads of the encoder; None if it reads the decoder."""
        return depth_of(self.reads)

    @property
    def width(self) -> int:
        """Number of hypotheses that are decoded in parallel."""
        return len(self.given) or self.beams


def score_goal(task: str, sequences: tuple[tuple[int, ...], ...]) -> Goal:
    """Return the goal of scoring the given sequences of class ids.

    Raises:
        ValueError: no sequences, or an empty one.
    """
    if not sequences or not all(sequences):
        raise ValueError("sequences to score must not be empty: give at least one, each with at least one class id")
    return Goal(task, max(map(len, sequences)), best=len(sequences), given=sequences)
