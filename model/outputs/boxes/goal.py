"""Decoding settings of boxes."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.decoding.goal import Goal
from omninet.model.outputs.boxes.metrics import Box


@dataclass(frozen=True)
class BoxesGoal(Goal):
    """The settings of a row that finds boxes, or scores given ones.

    Attributes:
        candidates: boxes to score, in pixels of the picture; empty to search.
    """

    candidates: tuple[Box, ...] = ()
