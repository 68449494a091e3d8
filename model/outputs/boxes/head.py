"""Head of boxes: neighbouring bins of a coordinate are almost right, and far ones are worse than near ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from omninet.model.decoding.goal import Reads
from omninet.model.outputs.boxes.tokens import BINS, LENGTH
from omninet.model.outputs.head import ClassHead, Loss, States
from omninet.model.tasks import Task

SPREAD = 4.0  # bins; standard deviation of the targets
ATTENTION = 0.5  # weight of the attention outside of the box
LEAST = 1e-4  # added to the attention within the box, so that the logarithm is finite
FAR = 5.0  # weight of the distance, in sides of the square; of the size that DETR gives it (Carion et al. 2020)
OVERLAP = 8.0  # weight of 1 - generalised IoU


class BoxesHead(ClassHead):
    """Cross entropy with targets that are spread over the neighbouring bins, and how far the mean coordinates are off.

    As in the distribution focal loss of Li et al. 2020, the cross entropy shapes the distribution of a coordinate. The
    distance of its mean from the target, and the overlap of the box of the four means with the true one, tell from the
    first step on in which direction it has to move. Without the overlap, boxes are learned many times more slowly.

    From the second layer on, as much as possible of the decoder's attention to the cells of the picture shall lie
    within the box, so that training tells from which cells a box is to be read.
    """

    attends = True
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
        overlap = overlap_loss(mean, targets, mask)
        terms = {"nll": nll, "distance": FAR * distance, "overlap": OVERLAP * overlap}
        if len(states["classes"].spatial) > 1:
            terms["attention"] = ATTENTION * attention_loss(states["classes"].spatial[1:], targets, mask)
        return Loss(terms, right)


def overlap_loss(coordinates: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Return 1 - generalised IoU (Rezatofighi et al. 2019), summed over the boxes.

    Args:
        coordinates: predicted at each position, in sides of the square, (b, n).
        targets, mask: see ``attention_loss``.
    """
    from torchvision.ops import generalized_box_iou_loss  # not needed to serve

    boxes, real = _boxes_of(targets, mask)
    predicted = coordinates[:, : boxes.shape[1] * LENGTH].reshape(boxes.shape)
    wanted = boxes[real][:, 1:] / (BINS - 1)
    total: Tensor = generalized_box_iou_loss(predicted[real][:, 1:], wanted, reduction="sum")
    return total


def attention_loss(layers: Sequence[Tensor], targets: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over layers of -log of the attention within the box, summed over the classes of boxes.

    Args:
        layers: weights of each layer, (b, n, P), for the P = side x side cells of a picture.
        targets: classes, (b, n): ``box x1 y1 x2 y2``, repeated, then ``end``.
        mask: (b, n), false at padding.
    """
    boxes, real = _boxes_of(targets, mask)
    covered = cells_of((boxes[..., 1:] / (BINS - 1)).clamp(max=1), math.isqrt(layers[0].shape[-1]))
    by_box = (*boxes.shape, layers[0].shape[-1])
    within = [(w[:, : boxes.shape[1] * LENGTH].reshape(by_box).float() * covered[:, :, None]).sum(-1) for w in layers]
    outside = -(torch.stack(within) + LEAST).log().mean(0)
    total: Tensor = (outside * real[..., None]).sum()
    return total


def _boxes_of(targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the classes of each box, (b, boxes, LENGTH), and which of them are boxes and no padding, (b, boxes)."""
    count = (targets.shape[1] - 1) // LENGTH
    shape = (len(targets), count, LENGTH)
    boxes, whole = (x[:, : count * LENGTH].reshape(shape) for x in (targets, mask))
    return boxes, whole.all(-1) & (boxes[..., 0] == BINS)


def cells_of(boxes: Tensor, side: int) -> Tensor:
    """Return which share of each of side x side cells lies in a box (..., 4), relative to the largest one: (..., P)."""
    edges = torch.linspace(0, 1, side + 1, device=boxes.device)
    lengths = [
        (torch.minimum(boxes[..., high, None], edges[1:]) - torch.maximum(boxes[..., low, None], edges[:-1])).clamp(0)
        for low, high in ((0, 2), (1, 3))
    ]
    across, down = (length / length.amax(-1, keepdim=True).clamp(min=1e-6) for length in lengths)
    return (down[..., :, None] * across[..., None, :]).flatten(-2)
