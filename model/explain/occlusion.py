"""Where an output came from: which parts of a picture its probability depends on.

Attention does not answer that: what a picture shows reaches the outputs through the temporal cache as well, and the
attention of a trained decoder rests on the same cells of the border for every picture (docs/reproduction.md). So parts
of the picture are hidden, as in Zeiler and Fergus 2014 (section 4.2), but in the peripheral's cells instead of pixels,
which spares the backbone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omninet.model.modalities.layout import Layout
from omninet.model.network.encoding import on_device
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.rows import Row

TIME_WINDOWS = 3  # along the time of a video
WIDTH = 0.48  # standard deviation of a window, relative to the distance of the windows
VECTORS = 1024  # cells of all rows that are encoded at once, to bound memory and the time of one part


class Occlusion:
    """Computes the relevance of the cells of a row's picture for each of its outputs.

    For each window, a soft region of cells, the effect on an output's log-probability is the loss when the window is
    blanked out of the picture plus the gain when it is all that is left of a blank picture. These are the two outermost
    terms of the window's Shapley value.

    Args:
        row: with exactly one input that has cells.
        tokens: decoded class ids, the end token included.

    Attributes:
        layout: of the cells.
        relevance: (n, frames * rows * columns), each row at least 0 with a sum of 1, or all 0 if no window has a
            positive effect; complete when the iteration has ended.
    """

    relevance: np.ndarray

    def __init__(self, network: OmniNet, device: torch.device, row: Row, tokens: Sequence[int]) -> None:
        self._network, self._task = network, row.goal.task
        self._targets = torch.tensor([list(tokens)], dtype=torch.long, device=device)
        self._encoded = [
            (domain, network.peripherals[peripheral](batch, row.moves))
            for peripheral, domain, batch in on_device(network, device, [row])
        ]
        modalities = [network.config.modality(given.peripheral) for given in row.inputs]
        self._picture = next(i for i, modality in enumerate(modalities) if modality.has_cells)
        self._cells: Tensor = self._encoded[self._picture][1][0]
        self.layout = modalities[self._picture].layout(*self._cells.shape[1:3])
        blank = network.peripherals[row.inputs[self._picture].peripheral].blank(self._cells)  # type: ignore[operator]
        self._blank: Tensor = blank

    def parts(self) -> Iterator[None]:
        """Compute the relevance in parts of bounded duration, so that other work can be done between them."""
        _, t, s, _ = self._cells.shape
        windows, spread = _windows(self.layout, self._cells)
        ends = self._log_probabilities(torch.stack([torch.ones_like(windows[0]), torch.zeros_like(windows[0])]))
        yield
        effects = []
        for chunk in torch.split(windows, max(1, VECTORS // (2 * t * s))):
            without, alone = self._log_probabilities(torch.cat([1 - chunk, chunk])).chunk(2)
            effects.append(ends[0] - without + alone - ends[1])
            yield
        found = (spread @ torch.cat(effects)).clamp(min=0).T
        self.relevance = (found / found.sum(1, keepdim=True).clamp(min=1e-9)).cpu().numpy()

    def _log_probabilities(self, shares: Tensor) -> Tensor:
        """Return the log-probabilities of the tokens, (b, n), of pictures that are partly blank.

        Args:
            shares: how much each cell shows of the picture, (b, frames * rows * columns).
        """
        if self.layout.by_column:
            shares = shares.view(-1, self.layout.rows, self.layout.columns).transpose(1, 2)
        shown = shares.reshape(len(shares), *self._cells.shape[1:3], 1).to(self._cells.dtype)
        memory: Memory | None = None
        for i, (domain, (x, mask)) in enumerate(self._encoded):
            given = torch.lerp(self._blank, self._cells, shown) if i == self._picture else _repeated(x, len(shares))
            memory = self._network.cnp.encode(given, domain, memory, _repeated(mask, len(shares)))
        assert memory is not None
        targets = self._targets.expand(len(shares), -1)
        scores = self._network.cnp.decode(memory, self._task, targets)
        return scores.gather(-1, targets[..., None])[..., 0].float()


def _repeated(x: Any, b: int) -> Any:
    """Repeat the only row of a tensor; None stays None."""
    return None if x is None else x.expand(b, *x.shape[1:])


def _windows(layout: Layout, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return soft windows and the matrix that spreads their effects over the cells.

    Returns:
        Windows, (m, frames * rows * columns), in [0, 1]; and the matrix, (frames * rows * columns, m).
    """
    along = _centred(layout.frames, min(layout.frames, TIME_WINDOWS), like)
    sides = zip((layout.rows, layout.columns), layout.windows, strict=True)
    (down, spread_down), (across, spread_across) = (_side(*side, layout.smoothing, like) for side in sides)
    spread = torch.kron((along / along.sum(0)).T.contiguous(), torch.kron(spread_down, spread_across))
    return torch.kron(along, torch.kron(down, across)), spread


def _side(length: int, count: int, smoothing: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return windows along one side of a picture, (m, length), and the matrix that spreads their effects over it."""
    windows = _centred(length, min(length, count), like)
    places = torch.arange(length, device=like.device)
    smoothed = _gaussian(places[:, None] - places, smoothing * length)
    return windows, smoothed @ (windows / windows.sum(0)).T


def _centred(length: int, count: int, like: Tensor) -> Tensor:
    """Return ``count`` windows over ``length`` places, evenly spaced, (count, length); one window covers everything."""
    if count == 1:
        return torch.ones(1, length, device=like.device)
    distance = length / count
    centres = (torch.arange(count, device=like.device) + 0.5) * distance - 0.5
    return _gaussian(torch.arange(length, device=like.device) - centres[:, None], WIDTH * distance)


def _gaussian(distance: Tensor, deviation: float) -> Tensor:
    return torch.exp(-(distance**2) / (2 * deviation**2))
