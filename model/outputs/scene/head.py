"""Head of scenes: for each cell of a tile, whether it is within a word, and how far the word reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.decoding.goal import Reads
from omninet.model.outputs.head import Head, Loss, States
from omninet.model.outputs.scene.cells import NUMBERS, VALUES, grid_of
from omninet.model.tasks import Task

RARE = -4.0  # first logit of a word, since few cells are in one
FOCUS, SHARE = 2.0, 0.75  # of the focal loss (Lin et al. 2017): exponent, and weight of cells in words
INNER = 0.3, 0.2  # heights by which the middle part of a word ends before its long sides, and before its short ones
ANGLE = 5.0  # weight of the angle


class SceneHead(Head):
    """Computes VALUES numbers of each cell from its vector in the spatial cache."""

    reads: ClassVar[tuple[Reads, ...]] = ("cells",)

    def __init__(self, task: Task, d_model: int) -> None:
        super().__init__(task, d_model)
        self.cells = nn.Linear(d_model, VALUES)
        nn.init.zeros_(self.cells.weight)
        nn.init.zeros_(self.cells.bias)
        with torch.no_grad():
            self.cells.bias[0] = RARE

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:  # noqa: ARG002
        """Compute the values of all cells, (b, P * VALUES)."""
        found: Tensor = self.cells(states).flatten(1)
        return found

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compute the loss; each word of ``targets`` has NUMBERS numbers, in cells."""
        values = self.cells(states["cells"].values).float()
        words = targets.reshape(len(targets), -1, NUMBERS)
        real = mask.reshape(words.shape)[..., 0]
        u, v = _places(words, values.shape[1])
        wide, high, readable = (words[..., i, None] for i in (2, 3, 5))
        within = (u.abs() <= wide / 2) & (v.abs() <= high / 2) & real[..., None]
        inner = (u.abs() <= (wide / 2 - INNER[1] * high).clamp(min=0.5)) & (
            v.abs() <= (high / 2 - INNER[0] * high).clamp(min=0.5)
        )
        inner = inner & real[..., None] & (readable > 0)
        word = torch.where(inner, v.abs() / high.clamp(min=0.1), torch.inf).argmin(1)
        is_word = inner.any(1)
        counted = is_word | ~within.any(1)
        of_words = is_word.sum().clamp(min=1)
        logits = values[..., 0]
        focal = _focal(logits, is_word)[counted].sum() / of_words
        u, v = (x.gather(1, word[:, None])[:, 0][is_word] for x in (u, v))
        of_cells = words.gather(1, word[..., None].expand(-1, -1, NUMBERS))[is_word]
        overlap, off = _geometry(values[is_word], u, v, of_cells)
        scale = mask.sum()  # the terms are sums over the targets
        terms = {"cells": focal, "overlap": (1 - overlap).sum() / of_words, "angle": ANGLE * off.sum() / of_words}
        right = ((logits.sigmoid() > 0.5) == is_word)[is_word].float().mean() if len(overlap) else logits.new_ones(())
        return Loss({name: scale * term for name, term in terms.items()}, (right * scale).detach())


def _places(words: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return how far each cell is from the middle of each word along its text and across it, (b, words, cells)."""
    rows, columns = grid_of(cells)
    across = torch.arange(columns, device=words.device).repeat(rows) + 0.5
    down = torch.arange(rows, device=words.device).repeat_interleave(columns) + 0.5
    dx, dy = across - words[..., 0, None], down - words[..., 1, None]
    cos, sin = words[..., 4, None].cos(), words[..., 4, None].sin()
    return cos * dx + sin * dy, cos * dy - sin * dx


def _focal(logits: Tensor, is_word: Tensor) -> Tensor:
    """Return the focal loss of each cell."""
    wanted = is_word.to(logits.dtype)
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    share = torch.where(is_word, SHARE, 1 - SHARE)
    return share * (1 - torch.exp(-entropy)) ** FOCUS * entropy


def _geometry(values: Tensor, u: Tensor, v: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Return the overlap (IoU) of each predicted box with its word's, and 1 - cosine of the difference of the angles.

    Args:
        values: of cells in words, (n, VALUES).
        u, v: how far each is from the middle of its word, along the text and across it, (n,).
        words: its word, (n, NUMBERS).
    """
    wide, high, angle = words[:, 2], words[:, 3], words[:, 4]
    sides = values[:, 1:5].clamp(-5, 5).exp()
    wanted = torch.stack([wide / 2 + u, high / 2 + v, wide / 2 - u, high / 2 - v], 1).clamp(min=0)
    least = torch.minimum(sides, wanted)
    common, predicted = ((x[:, 0] + x[:, 2]) * (x[:, 1] + x[:, 3]) for x in (least, sides))
    union = predicted + wide * high - common
    return common / union.clamp(min=1e-6), 1 - torch.cos(values[:, 5] - angle)
