"""Build the layers of a Central Neural Processor from its configuration.

The modules of a layer are built in the order of its arguments: another order would draw other initial weights from the
same seed.
"""

from __future__ import annotations

from torch import nn

from omninet.model.config import CNPConfig
from omninet.model.network.attention import GatedAttention, MultiHeadAttention
from omninet.model.network.convolutions import ConvolutionBlock
from omninet.model.network.encoder_layers import ConvolutionLayer, EncoderLayer
from omninet.model.network.experts import Experts
from omninet.model.network.layers import DecoderLayer, FeedForward
from omninet.model.network.mixer import Mixer


def encoder_layer(config: CNPConfig, number: int) -> EncoderLayer | ConvolutionLayer:
    """Build a layer of the temporal encoder; numbers count from 0."""
    mixture = f"encoder {number}" if number in config.experts.encoder else ""
    if config.convolutions.encoder == "only":
        return ConvolutionLayer(ConvolutionBlock(config), feed_forward(config, mixture))
    blocks = config.convolutions.encoder == "beside"
    return EncoderLayer(MultiHeadAttention(config), feed_forward(config, mixture), _convolutions(config, blocks))


def decoder_layer(config: CNPConfig, number: int) -> DecoderLayer:
    """Build a layer of the decoder; numbers count from 0."""
    mixture = f"decoder {number}" if number in config.experts.decoder else ""
    d = config.d_model
    return DecoderLayer(
        self_attention=MultiHeadAttention(config),
        temporal_projection=nn.Linear(d, d),
        temporal_attention=MultiHeadAttention(config),
        spatial_projection=nn.Linear(d, d),
        spatial_attention=GatedAttention(config),
        output_projection=nn.Linear(d, d),
        feed_forward=feed_forward(config, mixture),
        convolutions=_convolutions(config, config.convolutions.decoder),
    )


def mixers(config: CNPConfig) -> list[Mixer]:
    """Build the decoder's mixer, if it has one."""
    return [Mixer(config)] if config.mixer else []


def feed_forward(config: CNPConfig, mixture: str = "") -> nn.Module:
    """Build the block at the end of every layer, (N, d) -> (N, d): a mixture of experts if it has a name."""
    return Experts(config, mixture) if mixture else FeedForward(config.d_model, config.d_hidden, config.dropout)


def _convolutions(config: CNPConfig, has_one: bool) -> list[ConvolutionBlock]:
    return [ConvolutionBlock(config)] if has_one else []
