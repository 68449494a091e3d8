"""Draws the outputs of one row."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

from omninet.model.decoding.sampling import Sampling


class Sampler:
    """Draws for one row."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling, self._random = sampling, random.Random(sampling.seed)
        # Of its own, so that one text is drawn alike whether others are drawn beside it or not.
        self._noise = torch.Generator().manual_seed(sampling.seed)

    def draw(self, scores: Tensor) -> int:
        """A class, by the logarithms of probabilities (c); -inf is never drawn."""
        likely, classes = torch.softmax(scores.double() / self._sampling.temperature, -1).sort(descending=True)
        sums = likely.cumsum(-1)
        # The first of them reaches the share alone, or it would be no class at all.
        kept = int((sums - likely < self._sampling.top_p).sum())
        point = self._random.random() * float(sums[kept - 1])
        place = int(torch.searchsorted(sums[:kept], point, right=True))
        return int(classes[min(place, kept - 1)])

    def spread(self, scores: Tensor, chances: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Chances and keys of all that may follow some hypotheses, (n, c), for a draw without replacement.

        A key is a chance with Gumbel noise, and what has the largest keys is drawn. Of all that goes on from a
        hypothesis one class has the hypothesis's own key and all others have smaller ones, so that texts are drawn
        although only a step at a time is looked at. For the first hypothesis that class is what ``draw`` gives.

        Args:
            scores: logarithms of probabilities, (n, c); -inf is never drawn.
            chances: logarithm of the probability with which each hypothesis is drawn, (n).
            keys: of the hypotheses, (n).
        """
        logs = self._logs(scores.cpu())
        first, others = self._gumbel(logs.shape), self._gumbel(logs.shape)
        chosen = (logs + first).argmax(-1)
        chosen[0] = self.draw(scores[0])
        every = chances[:, None] + logs
        # Gumbel noise around the chances, under the condition that none of it is above the hypothesis's key.
        below = -torch.logaddexp(-keys[:, None], -(every + others))
        return every, below.scatter(1, chosen[:, None], keys[:, None])

    def _logs(self, scores: Tensor) -> Tensor:
        """Logarithms of the probabilities with which classes are drawn, (n, c)."""
        logs = torch.log_softmax(scores.double() / self._sampling.temperature, -1)
        if self._sampling.top_p == 1:  # sums round: the last classes would be left out
            return logs
        likely, classes = logs.exp().sort(descending=True)
        left_out = likely.cumsum(-1) - likely >= self._sampling.top_p
        left_out = torch.empty_like(left_out).scatter(1, classes, left_out)
        return torch.log_softmax(logs.masked_fill(left_out, -math.inf), -1)

    def _gumbel(self, shape: torch.Size) -> Tensor:
        return -(-torch.rand(shape, dtype=torch.double, generator=self._noise).log()).log()
