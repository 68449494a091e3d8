"""Decoding rows of any tasks in one batch: likeliest first or drawn, with rules of what must not come next."""

from model.decoding.batch import CANDIDATES, RunningBatch, decode
from model.decoding.goal import Explain, Goal
from model.decoding.hypotheses import Decoded, Hypothesis
from model.decoding.options import LIMITS, MAX_BEAMS, TextOptions, text_goal
from model.decoding.rules import Rules
from model.decoding.sampling import Sampling
from model.decoding.search import Search

__all__ = [
    "CANDIDATES",
    "LIMITS",
    "MAX_BEAMS",
    "Decoded",
    "Explain",
    "Goal",
    "Hypothesis",
    "Rules",
    "RunningBatch",
    "Sampling",
    "Search",
    "TextOptions",
    "decode",
    "text_goal",
]
