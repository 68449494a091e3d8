"""Sampling of the tokens of one row."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

from omninet.model.decoding.sampling import Sampling


class Sampler:
    """Samples tokens for one row from a random stream of its own."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling, self._random = sampling, random.Random(sampling.seed)
        # A separate generator: the first text is the same whether further texts are sampled or not.
        self._noise = torch.Generator().manual_seed(sampling.seed)

    def draw(self, scores: Tensor) -> int:
        """Sample a class from log-probabilities (c,); classes at -inf are never sampled."""
        likely, classes = torch.softmax(scores.double() / self._sampling.temperature, -1).sort(descending=True)
        sums = likely.cumsum(-1)
        # Sums without the class itself: the likeliest class is always kept, even if it exceeds top_p alone.
        kept = int((sums - likely < self._sampling.top_p).sum())
        point = self._random.random() * float(sums[kept - 1])
        place = int(torch.searchsorted(sums[:kept], point, right=True))
        return int(classes[min(place, kept - 1)])

    def perturb(self, scores: Tensor, log_probabilities: Tensor, perturbed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of all continuations and their Gumbel-perturbed values, each (n, c).

        This is one step of stochastic beam search (Kool et al. 2019, Algorithm 1): the continuations with the largest
        perturbed values are a sample without replacement. The maximum of the perturbed values over the classes of a
        hypothesis equals the perturbed value of the hypothesis (top-down sampling). For the first hypothesis, the class
        with that maximum is the one that ``draw`` samples.

        Args:
            scores: log-probabilities of the classes, (n, c); classes at -inf are never sampled.
            log_probabilities: sampling log-probability of each hypothesis (phi in the paper), (n,).
            perturbed: perturbed log-probability of each hypothesis (G in the paper), (n,).
        """
        logs = self._logs(scores.cpu())
        first, others = self._gumbel(logs.shape), self._gumbel(logs.shape)
        chosen = (logs + first).argmax(-1)
        chosen[0] = self.draw(scores[0])
        every = log_probabilities[:, None] + logs
        # Gumbel noise truncated at the perturbed value of the hypothesis.
        below = -torch.logaddexp(-perturbed[:, None], -(every + others))
        return every, below.scatter(1, chosen[:, None], perturbed[:, None])

    def _logs(self, scores: Tensor) -> Tensor:
        """Apply temperature and top_p to log-probabilities (n, c) and renormalise."""
        logs = torch.log_softmax(scores.double() / self._sampling.temperature, -1)
        if self._sampling.top_p == 1:  # rounding of the sums would drop the least likely classes
            return logs
        likely, classes = logs.exp().sort(descending=True)
        left_out = likely.cumsum(-1) - likely >= self._sampling.top_p
        left_out = torch.empty_like(left_out).scatter(1, classes, left_out)
        return torch.log_softmax(logs.masked_fill(left_out, -math.inf), -1)

    def _gumbel(self, shape: torch.Size) -> Tensor:
        return -(-torch.rand(shape, dtype=torch.double, generator=self._noise).log()).log()
