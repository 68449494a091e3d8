"""The temporal encoder of the CNP (paper, Fig. 2 left)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from torch import Tensor, nn

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Depth
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.builder import encoder_layer
from omninet.model.network.layers import sinusoid_table

Exits = dict[Depth, list[Tensor]]
"""Hidden states at some depths (see ``CNP.exits``): depth -> those of each input, (b, t, d) or, of cells, (b, P, d)."""


class TemporalEncoder(nn.Module):
    """Self-attention over the steps of one input (paper, Fig. 2 left)."""

    positions: Tensor

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.recurrent_steps = config.recurrent_steps
        self.register_buffer("positions", sinusoid_table(config.max_length, config.d_model), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(encoder_layer(config, i) for i in range(config.encoder_layers))

    def forward(self, x: Tensor, mask: Tensor | None, auxiliary: Auxiliary | None = None) -> Tensor:
        """x (b, t, d) and mask (b, t) -> (b, t, d)."""
        return deque(self.depths(x, mask, auxiliary), maxlen=1).pop()

    def depths(self, x: Tensor, mask: Tensor | None, auxiliary: Auxiliary | None = None) -> Iterator[Tensor]:
        """Yield the output of each layer in turn, (b, t, d); a layer runs only when its output is requested.

        Args:
            x, mask: (b, t, d) and (b, t).

        Raises:
            ValueError: more than ``max_length`` steps.
        """
        t = x.shape[1]
        if t >= len(self.positions):
            raise ValueError(f"an input may have at most {len(self.positions) - 1} steps, not {t}")
        x = self.dropout(x + self.positions[1 : t + 1])
        for _ in range(self.recurrent_steps):
            for layer in self.layers:
                x = layer(x, mask, auxiliary)
                yield x
