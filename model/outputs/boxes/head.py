"""Head of boxes: neighbouring bins of a coordinate are almost right, and far ones are worse than near ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from omninet.model.decoding.goal import Reads
from omninet.model.outputs.boxes.tokens import BINS
from omninet.model.outputs.head import ClassHead, Loss, States
from omninet.model.tasks import Task

SPREAD = 4.0  # bins; standard deviation of the targets
FAR = 5.0  # weight of the distance, in sides of the square; of the size that DETR gives it (Carion et al. 2020)


class BoxesHead(ClassHead):
    """Cross entropy with targets that are spread over the neighbouring bins, and the distance of the mean coordinate.

    As in the distribution focal loss of Li et al. 2020, the cross entropy shapes the distribution of a coordinate, and
    the distance of its mean tells from the first step on in which direction it has to move.
    """

    targets: Tensor

    def __init__(self, task: Task, d_model: int) -> None:
        super().__init__(task, d_model)
        distance = torch.arange(BINS)[:, None] - torch.arange(BINS)
        spread = torch.exp(-(distance**2) / (2 * SPREAD**2))
        self.register_buffer("targets", spread / spread.sum(1, keepdim=True), persistent=False)

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compute the loss; the first BINS classes are coordinates, from 0 to the side of the square, 1."""
        log_probabilities = states["classes"].values
        is_bin = mask & (targets < BINS)
        exact = log_probabilities.gather(-1, targets[..., None])[..., 0]
        wanted = self.targets[targets.clamp(max=BINS - 1)].to(log_probabilities.dtype)
        spread = (wanted * log_probabilities[..., :BINS]).sum(-1)
        zero = torch.zeros_like(exact)
        nll = -torch.where(is_bin, spread, torch.where(mask, exact, zero)).sum()
        shares = log_probabilities[..., :BINS].float().softmax(-1)
        mean = shares @ torch.linspace(0, 1, BINS, device=shares.device)
        distance = torch.where(is_bin, (mean - targets / (BINS - 1)).abs(), zero.float()).sum()
        right = ((log_probabilities.argmax(-1) == targets) & mask).sum()
        return Loss({"nll": nll, "distance": FAR * distance}, right)
