"""Head of embeddings, trained by a symmetric InfoNCE loss (van den Oord et al. 2018; Radford et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Reads
from omninet.model.outputs.embedding.exits import reads_of
from omninet.model.outputs.head import Head, Loss, States
from omninet.model.tasks import Task

TEMPERATURE = 0.07  # initial temperature of the similarities
LARGEST_SCALE = 100.0


class EmbeddingHead(Head):
    """Projects the states of each exit to vectors of unit length; the exits are trained together from the start."""

    reads = ("hidden",)

    def __init__(self, task: Task, d_model: int) -> None:
        super().__init__(task, d_model)
        self.projections = nn.ModuleDict({name: _projection(d_model) for name in reads_of(CNPConfig())})
        self.log_scale = nn.Parameter(torch.full((len(self.projections),), -math.log(TEMPERATURE)))

    def needs(self, config: CNPConfig) -> tuple[Reads, ...]:
        """Return the states of all exits."""
        return tuple(reads_of(config).values())

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:
        """Return unit vectors, (b, d), of the mean over the real states."""
        real = torch.ones_like(states[..., :1]) if mask is None else mask[..., None].to(states.dtype)
        mean = (states * real).sum(1) / real.sum(1)
        return functional.normalize(self.projections[_name(reads)](mean), dim=-1)

    def compare(self, inputs: Sequence[Mapping[Reads, States]], targets: Tensor) -> Loss:
        """Compute the InfoNCE loss of each exit in both directions; pairs of one photo are no negatives.

        Args:
            inputs: states of the pictures, and of the texts.
            targets: number of each pair's photo, (b, 1).
        """
        photos = targets[:, 0]
        negatives = photos[:, None] != photos
        allowed = negatives | torch.eye(len(photos), dtype=torch.bool, device=photos.device)
        wanted = torch.arange(len(photos), device=photos.device)
        terms: dict[str, Tensor] = {}
        right, mistaken = torch.zeros(()), wanted
        for i, name in enumerate(self.projections):
            one, other = ([states for reads, states in given.items() if _name(reads) == name] for given in inputs)
            vectors = [self.values(s[0].values, s[0].mask, _reads(name)) for s in (one, other)]
            scale = self.log_scale[i].exp().clamp(max=LARGEST_SCALE)
            scores = (vectors[0] @ vectors[1].T * scale).masked_fill(~allowed, -math.inf)
            losses = [functional.cross_entropy(each, wanted, reduction="sum") for each in (scores, scores.T)]
            terms[name] = (losses[0] + losses[1]) / 2
            # Those of the last exit, the best one, are returned.
            right = (scores.argmax(1) == wanted).sum()
            mistaken = _draw(scores.detach().masked_fill(~negatives, -math.inf), wanted)
        return Loss(terms, right, mistaken)


def _draw(scores: Tensor, own: Tensor) -> Tensor:
    """Draw a column of each row by the softmax of the scores (b, b); a row without any gets its own."""
    has_any = scores.isfinite().any(1)
    shares = scores.float().softmax(1).masked_fill(~has_any[:, None], 1.0)
    return torch.where(has_any, shares.multinomial(1)[:, 0], own)


def _projection(d: int) -> nn.Module:
    """Return a small network: pictures and texts come from different distributions at the early exits."""
    return nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))


def _name(reads: Reads) -> str:
    """Return the exit that reads some states."""
    if reads == "hidden":
        return "best"
    return "balanced" if reads else "fast"


def _reads(name: str) -> Reads:
    """Return any states that an exit reads."""
    return reads_of(CNPConfig())[name]
