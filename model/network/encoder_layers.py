"""Layers of the temporal encoder (paper, Fig. 2 left)."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from omninet.model.network.attention import MultiHeadAttention, Source, open_empty_rows
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.convolutions import ConvolutionBlock, Slide, slide_over
from omninet.model.network.layers import zero_padding


class EncoderLayer(nn.Module):
    """Layer of the temporal encoder: self-attention and feed-forward block (paper, Fig. 2 left).

    Args:
        feed_forward: FeedForward or a replacement with its interface, (N, d) -> (N, d).
        convolutions: blocks before the self-attention.
    """

    def __init__(
        self, attention: MultiHeadAttention, feed_forward: nn.Module, convolutions: Iterable[ConvolutionBlock] = ()
    ) -> None:
        super().__init__()
        self.attention = attention
        self.feed_forward = feed_forward
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, x: Tensor, mask: Tensor | None, auxiliary: Auxiliary | None = None) -> Tensor:
        """Map x (b, t, d) to (b, t, d); mask (b, t), the output is zero where it is false."""
        b, t, _ = x.shape
        keys_mask = None if mask is None else open_empty_rows(mask)[:, None, None, :]
        rows = None if mask is None else mask.flatten()
        flat = x.flatten(0, 1)
        for block in self.convolutions:
            flat = block(flat, slide_steps(t, rows))
        queries, keys, values = self.self_attention_inputs(flat)
        split = self.attention.split
        changed, _ = self.attention(flat, queries, [Source(t, split(keys, t), split(values, t), keys_mask)])
        changed = self.feed_forward(zero_padding(changed, rows), rows, auxiliary)
        return zero_padding(changed, rows).view(b, t, -1)

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Project x (N, d) to the queries, keys and values of the self-attention, each (N, h * k)."""
        return self.attention.query(x), self.attention.key(x), self.attention.value(x)


class ConvolutionLayer(nn.Module):
    """Layer of the temporal encoder without attention: a convolutional and a feed-forward block.

    Args:
        feed_forward: FeedForward or a replacement with its interface, (N, d) -> (N, d).
    """

    def __init__(self, convolution: ConvolutionBlock, feed_forward: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, mask: Tensor | None, auxiliary: Auxiliary | None = None) -> Tensor:
        """Map x (b, t, d) to (b, t, d); mask (b, t), the output is zero where it is false."""
        b, t, _ = x.shape
        rows = None if mask is None else mask.flatten()
        changed = self.convolution(x.flatten(0, 1), slide_steps(t, rows))
        changed = self.feed_forward(zero_padding(changed, rows), rows, auxiliary)
        return zero_padding(changed, rows).view(b, t, -1)


def slide_steps(t: int, rows: Tensor | None) -> Slide:
    """Return convolution over the t steps of each input; ``rows`` (b * t) is false at padding, which counts as zero."""

    def slide(_: int, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        steps = zero_padding(x, rows).view(-1, t, x.shape[1])
        return slide_over(steps, weight, dilation, causal=False).flatten(0, 1)

    return slide
