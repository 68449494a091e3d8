"""Convolutional blocks over time steps (One Model To Learn Them All, Kaiser et al. 2017, 2.1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.config import CNPConfig

Slide = Callable[[int, Tensor, Tensor, int], Tensor]
"""Depthwise convolution of a block's step: its number, inputs (N, d), weight (d, kernel), dilation -> (N, d)."""


class ConvolutionStep(nn.Module):
    """ReLU, depthwise separable convolution, layer norm."""

    def __init__(self, d_model: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.depthwise = nn.Parameter(torch.randn(d_model, kernel) / kernel**0.5)
        self.pointwise = nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model)


class ConvolutionBlock(nn.Module):
    """Steps of convolution; x is added again after every second step and after the last."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        pairs = zip(config.convolutions.kernels, config.convolutions.dilations, strict=True)
        self.steps = nn.ModuleList(ConvolutionStep(config.d_model, *pair) for pair in pairs)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, slide: Slide) -> Tensor:
        """(N, d) -> (N, d).

        Args:
            slide: computes the depthwise convolutions, since neighbouring steps may be in a cache.
        """
        changed = x
        for number, step in enumerate(self.steps):
            assert isinstance(step, ConvolutionStep)
            slid = slide(number, functional.relu(changed), step.depthwise, step.dilation)
            changed = step.norm(step.pointwise(slid))
            if number % 2 or number == len(self.steps) - 1:
                changed = changed + x
        dropped: Tensor = self.dropout(changed)
        return dropped


def slide_over(x: Tensor, weight: Tensor, dilation: int, causal: bool) -> Tensor:
    """Convolve each channel of x (b, t, d) over time with zeros around it: (b, t, d).

    Args:
        weight: (d, kernel).
        causal: a step sees itself and earlier steps; otherwise as many later ones.
    """
    reach = (weight.shape[1] - 1) * dilation
    left = reach if causal else reach // 2
    padded = functional.pad(x.transpose(1, 2), (left, reach - left))
    return functional.conv1d(padded, weight[:, None], dilation=dilation, groups=len(weight)).transpose(1, 2)
