"""The decoder of the CNP (paper, Fig. 2 right)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.builder import decoder_layer, mixers
from omninet.model.network.cohort import Cohort
from omninet.model.network.kv_cache import KeyValueCache
from omninet.model.network.layers import (
    LayerAttention,
    LayerMemory,
    MemoryMasks,
    Part,
    Prefix,
    sinusoid_table,
)
from omninet.model.network.memory import Memory


class Decoder(nn.Module):
    """The decoder layers; run over a whole prefix (teacher forcing) or one position at a time with a KV cache."""

    positions: Tensor

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("positions", sinusoid_table(config.max_length, config.d_model), persistent=False)
        self.layers = nn.ModuleList(decoder_layer(config, i) for i in range(config.decoder_layers))
        self.output = nn.Linear(config.d_model, config.d_model)
        self.mixers = nn.ModuleList(mixers(config))

    def project_memory(self, memory: Memory) -> list[LayerMemory]:
        """Project ``memory`` to the keys and values of each layer's cross-attention, then of the mixer's."""
        return [layer.project_memory(memory) for layer in (*self.layers, *self.mixers)]

    def forward(
        self, x: Tensor, memory: Memory, mask: Tensor | None = None, auxiliary: Auxiliary | None = None
    ) -> tuple[Tensor, list[LayerAttention]]:
        """Run the decoder over whole prefixes with a causal mask.

        Args:
            x: inputs, (b, n, d).
            mask: (b, n), false at padding.

        Returns:
            Hidden states, (b, n, d), and the attention of each layer.
        """
        b, n, _ = x.shape
        self._check_length(n)
        causal = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()[None, None]
        if mask is not None:
            causal = causal & mask[:, None, None, :]
        prefix = Prefix(b, n, self.project_memory(memory), MemoryMasks.of(memory), causal)
        x = (x + self.positions[1 : n + 1]).flatten(0, 1)
        hidden, attention = self._run(x, [prefix], None if mask is None else mask.flatten(), auxiliary)
        return hidden.view(b, n, -1), attention

    def start(self, task: str, memory: Memory, width: int) -> Cohort:
        """Return a cohort of the rows of ``memory`` with ``width`` hypotheses each, at their first position."""
        return Cohort(
            task=task,
            n=width,
            memories=self.project_memory(memory),
            # Rows that join later are written into these tensors in place; clone what belongs to the memory.
            masks=replace(MemoryMasks.of(memory), frame=memory.frame.clone()),
            cache=KeyValueCache(self.config, memory.batch, width, memory.temporal),
            positions=[0] * memory.batch,
        )

    def step(self, x: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
        """Run the decoder at one position of every row, x (N, d) -> (N, d), and advance the cohorts."""
        numbers = [(position or 0) + 1 for cohort in cohorts for position in cohort.positions for _ in range(cohort.n)]
        self._check_length(max(numbers))
        for cohort in cohorts:
            cohort.cache.open_column(max(position or 0 for position in cohort.positions))
        hidden = self.run_layers(x + self.positions[torch.tensor(numbers, device=x.device)], cohorts)
        for cohort in cohorts:
            cohort.advance()
        return hidden

    def run_layers(self, x: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
        """Run the layers at one position of every row, (N, d) -> (N, d)."""
        for mixer in self.mixers:
            x = mixer(x, cohorts, None)
        for slot, number in self.runs():
            x = self.layers[number].step(x, cohorts, slot, [cohort.memories[number] for cohort in cohorts])  # type: ignore[operator]
        hidden: Tensor = self.output(x)
        return hidden

    def _run(
        self, x: Tensor, parts: Sequence[Part], rows: Tensor | None = None, auxiliary: Auxiliary | None = None
    ) -> tuple[Tensor, list[LayerAttention]]:
        for mixer in self.mixers:
            x = mixer(x, parts, rows)
        attention = []
        for slot, number in self.runs():
            memories = [part.memories[number] for part in parts]
            x, weights = self.layers[number](x, parts, slot, memories, rows, auxiliary)
            attention.append(weights)
        return self.output(x), attention

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield each run of a layer and the number of the layer, both counted from 0."""
        for slot in range(self.config.recurrent_steps * len(self.layers)):
            yield slot, slot % len(self.layers)

    def _check_length(self, n: int) -> None:
        if n >= len(self.positions):
            raise ValueError(f"at most {len(self.positions) - 1} outputs can be decoded, not {n}")
