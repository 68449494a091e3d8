"""Parts of a network as functions of tensors alone, which can be exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from omninet.model.network.attention import Source
from omninet.model.network.cnp import CNP, log_probabilities
from omninet.model.network.layers import LayerMemory, MemoryMasks, Place
from omninet.model.network.memory import Memory


class PictureGraph(nn.Module):
    """A peripheral with a backbone: frames (b, t, 3, size, size), uint8 -> (b, t, s, d), without motion features."""

    def __init__(self, peripheral: nn.Module) -> None:
        super().__init__()
        self.peripheral = peripheral

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames."""
        encoded: Tensor = self.peripheral(frames, False)[0]
        return encoded


class EncoderGraph(nn.Module):
    """Encodes one input of any domain to the keys and values of the decoder's layers (paper, Algorithm 1).

    Those of several inputs are concatenated along their second-last axis, of steps or cells.
    """

    def __init__(self, cnp: CNP) -> None:
        super().__init__()
        self.cnp = cnp

    def forward(self, x: Tensor, domain: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode one input.

        Args:
            x: output of a peripheral, (b, t, s, d).
            domain: number of the input's domain, ().

        Returns:
            Keys and values of the time steps, each (layers, b, h, t, k), then those of the cells, each (layers, b, h,
            t * s, k). Cells of inputs with s = 1 do not belong to the spatial cache.
        """
        x = self.cnp.with_control(x, self.cnp.control_embedding(domain))
        steps, cells = self.cnp.encode_steps(x), self.cnp.cells(x)
        layers = self.cnp.decoder.layers
        temporal = [layer.temporal_attention.keys_values(steps) for layer in layers]  # type: ignore[union-attr, operator]
        spatial = [layer.spatial_attention.keys_values(cells) for layer in layers]  # type: ignore[union-attr, operator]
        (a, b), (c, d) = (zip(*pairs, strict=True) for pairs in (temporal, spatial))
        return torch.stack(a), torch.stack(b), torch.stack(c), torch.stack(d)


@dataclass
class CachedPart:
    """Rows that decode one position each after cached ones; implements ``Part``.

    Attributes:
        keys, values: of the earlier positions, (slots, b, h, n, k).
        grown: keys and values of each slot, those of the current position included.
    """

    b: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    keys: Tensor
    values: Tensor
    grown: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    n: int = 1

    def self_source(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """Return the cached keys and values with the current ones; see Part."""
        pair = torch.cat([self.keys[slot], keys], 2), torch.cat([self.values[slot], values], 2)
        self.grown.append(pair)
        return Source(1, *pair)

    def slide(self, place: Place, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        """Not supported; networks with convolutions are refused before."""
        raise NotImplementedError


class StepGraph(nn.Module):
    """One step of the decoder for rows at one position, with their keys and values as inputs and outputs."""

    def __init__(self, cnp: CNP) -> None:
        super().__init__()
        self.decoder = cnp.decoder

    def forward(
        self,
        x: Tensor,
        position: Tensor,
        keys: Tensor,
        values: Tensor,
        temporal_keys: Tensor,
        temporal_values: Tensor,
        spatial_keys: Tensor | None = None,
        spatial_values: Tensor | None = None,
        frame: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run one step.

        Args:
            x: start vectors or embedded tokens, (b, d).
            position: number of tokens before this one, ().
            keys, values: of the tokens before, (slots, b, h, position, k).
            temporal_keys, temporal_values: of the memory, (layers, b, h, R, k).
            spatial_keys, spatial_values: of the memory, (layers, b, h, P, k).
            frame: step of the memory that each cell belongs to, (b, P).

        Returns:
            Hidden states, (b, d), and the keys and values with those of this position.
        """
        b, r = x.shape[0], temporal_keys.shape[3]
        cells = x.new_zeros(b, 0).long() if frame is None else frame
        everything = torch.ones(b, r, dtype=torch.bool), torch.ones_like(cells, dtype=torch.bool)
        vectors = x.new_zeros(b, r, 0), x.new_zeros(b, cells.shape[1], 0)
        masks = MemoryMasks.of(Memory(vectors[0], everything[0], vectors[1], everything[1], cells, ()))
        memories = [
            LayerMemory(
                (temporal_keys[i], temporal_values[i]),
                None if spatial_keys is None or spatial_values is None else (spatial_keys[i], spatial_values[i]),
            )
            for i in range(len(self.decoder.layers))
        ]
        part = CachedPart(b, memories, masks, keys, values)
        x = x + self.decoder.positions[position + 1]
        for slot, number in self.decoder.runs():
            x = self.decoder.layers[number].step(x, [part], slot, [memories[number]])  # type: ignore[operator]
        grown = [torch.stack(tensors) for tensors in zip(*part.grown, strict=True)]
        return self.decoder.output(x), grown[0], grown[1]


class EmbedGraph(nn.Module):
    """The decoder's inputs of one task: the start vector at position 0, then embedded tokens."""

    def __init__(self, cnp: CNP, task: str) -> None:
        super().__init__()
        self.embedding, self.projection = cnp.output_embeddings[cnp.tasks[task]], cnp.output_projection
        start = cnp.task_projection(cnp.control_embedding.weight[cnp.control_ids[task]])
        self.start = nn.Buffer(start.detach())

    def forward(self, token: Tensor, position: Tensor) -> Tensor:
        """Embed the last tokens (b) of rows at a position (): (b, d)."""
        x = self.projection(self.embedding(token))
        return torch.where(position == 0, self.start, x)


class ClassifyGraph(nn.Module):
    """The classifier of one vocabulary: hidden states (b, d) -> natural log-probabilities (b, c)."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, hidden: Tensor) -> Tensor:
        """Classify hidden states."""
        return log_probabilities(self.classifier(hidden))
