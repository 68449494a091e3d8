"""Build the layers of a Central Neural Processor from its configuration.

The modules of a layer are built in the order of its arguments: another order would draw other initial weights from the
same seed.
"""

from __future__ import annotations

from torch import nn

from omninet.model.config import CNPConfig
from omninet.model.network.attention import GatedAttention, MultiHeadAttention
from omninet.model.network.layers import DecoderLayer, EncoderLayer, FeedForward


def encoder_layer(config: CNPConfig) -> EncoderLayer:
    """Build a layer of the temporal encoder."""
    return EncoderLayer(MultiHeadAttention(config), feed_forward(config))


def decoder_layer(config: CNPConfig) -> DecoderLayer:
    """Build a layer of the decoder."""
    d = config.d_model
    return DecoderLayer(
        self_attention=MultiHeadAttention(config),
        temporal_projection=nn.Linear(d, d),
        temporal_attention=MultiHeadAttention(config),
        spatial_projection=nn.Linear(d, d),
        spatial_attention=GatedAttention(config),
        output_projection=nn.Linear(d, d),
        feed_forward=feed_forward(config),
    )


def feed_forward(config: CNPConfig) -> nn.Module:
    """Build the feed-forward block at the end of every layer, (N, d) -> (N, d)."""
    return FeedForward(config.d_model, config.d_hidden, config.dropout)
