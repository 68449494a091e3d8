"""Input/output mixer of the decoder (One Model To Learn Them All, Kaiser et al. 2017, 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from omninet.model.config import CNPConfig
from omninet.model.network.attention import MultiHeadAttention, Source
from omninet.model.network.convolutions import ConvolutionBlock
from omninet.model.network.layers import LayerMemory, Part, slide_parts, zero_padding
from omninet.model.network.memory import Memory

BLOCKS = 2


class Mixer(nn.Module):
    """Attention of the decoder's inputs to the temporal cache, then convolutions over both: before the first layer."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config)
        self.blocks = nn.ModuleList(ConvolutionBlock(config) for _ in range(BLOCKS))

    def project_memory(self, memory: Memory) -> LayerMemory:
        """Project a memory to keys and values, once for all positions that are decoded from it."""
        return LayerMemory(self.attention.keys_values(memory.temporal), None)

    def forward(self, x: Tensor, parts: Sequence[Part], rows: Tensor | None = None) -> Tensor:
        """(N, d) -> (N, d); see DecoderLayer. The mixer's memory is the last one of each part."""
        sources = [Source(part.n, *part.memories[-1].temporal, part.masks.temporal) for part in parts]
        x, _ = self.attention(x, self.attention.query(x), sources)
        for number, block in enumerate(self.blocks):
            x = block(zero_padding(x, rows), slide_parts(parts, f"mixer {number}", rows))
        return zero_padding(x, rows)
