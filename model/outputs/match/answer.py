"""Answers of the match output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer


@dataclass(frozen=True, kw_only=True)
class Match(PlainAnswer):
    """How well a text fits a picture.

    Attributes:
        score: log-odds that they match; higher is better.
        probability: probability that they match, in [0, 1].
    """

    score: float
    probability: float
