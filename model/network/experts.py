"""Sparsely gated mixture of experts (Shazeer et al. 2017; One Model To Learn Them All, Kaiser et al. 2017, 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.config import CNPConfig
from omninet.model.network.auxiliary import Auxiliary

BALANCE = 0.01  # weight of each of the two losses
LEAST_NOISE = 0.01  # standard deviation


class Expert(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d) -> (N, d)."""
        changed: Tensor = self.contract(functional.relu(self.expand(x)))
        return changed


class Experts(nn.Module):
    """Replaces a feed-forward block: each position is processed by its likeliest experts, with residual and layer norm.

    Scores start at zero. In training noise of a learned size is added to them, and two losses keep the experts equally
    busy. Each expert has parameters of its own, so that one that a batch did not use gets no gradient. The weights of
    the scores are no linear layer, so that inference in bfloat16 or int8 chooses as float32 does.

    Args:
        name: of the mixture, for the report of its load.
    """

    def __init__(self, config: CNPConfig, name: str) -> None:
        super().__init__()
        options, d = config.experts, config.d_model
        self.name = name
        self.idle_run = False  # True lets experts that no position has chosen run on none, so that they get gradients
        self.chosen = options.chosen
        self.gate = nn.Parameter(torch.zeros(options.number, d))
        self.noise = nn.Parameter(torch.zeros(options.number, d))
        self.experts = nn.ModuleList(Expert(d, options.d_hidden or config.d_hidden) for _ in range(options.number))
        self.norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, rows: Tensor | None = None, auxiliary: Auxiliary | None = None) -> Tensor:
        """(N, d) -> (N, d).

        Args:
            rows: (N), false at padding, which does not count as load.
            auxiliary: gets the losses ``importance`` and ``load``, and the number of positions of each expert.
        """
        scores = functional.linear(x, self.gate)
        spread = functional.softplus(functional.linear(x, self.noise)) + LEAST_NOISE if self.training else None
        noisy = scores if spread is None else scores + torch.randn_like(scores) * spread
        best = noisy.topk(self.chosen)
        gates = best.values.softmax(-1)
        if auxiliary is not None and spread is not None:
            real = torch.ones_like(x[:, 0], dtype=torch.bool) if rows is None else rows
            self._balance(scores[real], noisy[real], spread[real], gates[real], best.indices[real], auxiliary)
        normed: Tensor = self.norm(self.dropout(self._mixed(x, gates, best.indices)) + x)
        return normed

    def _mixed(self, x: Tensor, gates: Tensor, chosen: Tensor) -> Tensor:
        """Return the sum of each position's experts, weighted by its gates (N, k): (N, d).

        Args:
            chosen: numbers of the experts, (N, k).
        """
        mixed = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            position, place = (chosen == number).nonzero(as_tuple=True)
            if len(position) or self.idle_run:
                changed = expert(x[position]) * gates[position, place, None]
                mixed = mixed.index_add(0, position, changed.to(mixed.dtype))
        return mixed

    def _balance(
        self,
        scores: Tensor,
        noisy: Tensor,
        spread: Tensor,
        gates: Tensor,
        chosen: Tensor,
        auxiliary: Auxiliary,
    ) -> None:
        """Add the losses of Shazeer et al. 2017, section 4 and appendix A, for scores and noise (N, experts)."""
        importance = torch.zeros_like(noisy).scatter(1, chosen, gates.to(noisy.dtype)).sum(0)
        load = chances(scores, noisy, spread, self.chosen).sum(0)
        auxiliary.add_loss("importance", BALANCE * variation(importance))
        auxiliary.add_loss("load", BALANCE * variation(load))
        auxiliary.add_load(self.name, torch.bincount(chosen.flatten(), minlength=len(self.experts)))


def chances(scores: Tensor, noisy: Tensor, spread: Tensor, chosen: int) -> Tensor:
    """Return the probability that each expert is among the ``chosen`` best if its own noise is drawn again.

    Args:
        scores, noisy, spread: scores without and with noise, and its standard deviation, each (N, experts).
    """
    best = noisy.topk(chosen + 1).values
    last, next_best = best[:, chosen - 1, None], best[:, chosen, None]
    # An expert among the best has to beat the best of the others, any other one has to beat the last of the best.
    threshold = torch.where(noisy > next_best, next_best, last)
    probability: Tensor = torch.special.ndtr((scores - threshold) / spread)
    return probability


def variation(amounts: Tensor) -> Tensor:
    """Return the squared coefficient of variation of amounts (experts,)."""
    return amounts.var(correction=0) / (amounts.mean().square() + torch.finfo(amounts.dtype).eps)
