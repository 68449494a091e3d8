"""Outputs that are drawn."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn.

    Attributes:
        temperature: that logarithms of probabilities are divided by; above 1 the unlikely becomes likelier.
        top_p: only the likeliest classes are drawn from that together have so much probability (Holtzman et al. 2020).
        seed: the same draws the same from the same probabilities, whatever else is in the batch.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


class Sampler:
    """Draws for one row."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling, self._random = sampling, random.Random(sampling.seed)

    def draw(self, scores: Tensor) -> int:
        """A class, by the logarithms of probabilities (c); -inf is never drawn."""
        likely, classes = torch.softmax(scores.double() / self._sampling.temperature, -1).sort(descending=True)
        sums = likely.cumsum(-1)
        # The first of them reaches the share alone, or it would be no class at all.
        kept = int((sums - likely < self._sampling.top_p).sum())
        point = self._random.random() * float(sums[kept - 1])
        place = int(torch.searchsorted(sums[:kept], point, right=True))
        return int(classes[min(place, kept - 1)])
