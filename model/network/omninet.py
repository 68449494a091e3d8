"""The network: peripherals around one Central Neural Processor, and the heads of outputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omninet.model.network.cnp import CNP
from omninet.model.network.layers import Losses
from omninet.model.network.memory import Memory
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS

Inputs = Sequence[tuple[str, str, Any]]
"""Of each input the name of its peripheral, its domain, and its collated batch."""


class OmniNet(nn.Module):
    """Any mix of inputs to a Memory; what is decoded from it is the CNP's business.

    Attributes:
        heads: task -> what its output makes of the network's states.
    """

    def __init__(self, config: OmniNetConfig) -> None:
        super().__init__()
        self.config = config
        d = config.cnp.d_model
        self.peripherals = nn.ModuleDict(
            {name: config.modality(name).peripheral()(inner, d) for name, inner in config.peripherals.items()}
        )
        vocabulary_of = {name: task.vocabulary for name, task in config.tasks.items()}
        self.cnp = CNP(config.cnp, config.domains, vocabulary_of, config.vocabularies, config.controls)
        self.heads = nn.ModuleDict({name: OUTPUTS[task.output].head()(task, d) for name, task in config.tasks.items()})

    def encode(self, inputs: Inputs, moves: bool = True, losses: Losses | None = None) -> Memory:
        """Encode inputs in their order.

        Args:
            moves: whether what changes from frame to frame is told, to tasks that have learnt what it looks like.
            losses: the layers' terms of the training loss are added to it.
        """
        memory: Memory | None = None
        for peripheral, domain, batch in inputs:
            x, mask = self.peripherals[peripheral](batch, moves)
            memory = self.cnp.encode(x, domain, memory, mask, losses)
        if memory is None:
            raise ValueError("a memory needs at least one input")
        return memory

    def exits(self, inputs: Inputs, depths: Collection[int], moves: bool = True) -> tuple[dict[int, Tensor], Tensor]:
        """Return the time steps of all inputs at some depths of the temporal encoder, and their mask.

        Args:
            depths: numbers of layers; 0 is what the peripherals gave, averaged over the cells.

        Returns:
            depth -> (b, R, d), and the mask (b, R).
        """
        found, masks = [], []
        for peripheral, domain, batch in inputs:
            x, mask = self.peripherals[peripheral](batch, moves)
            found.append(self.cnp.exits(x, domain, mask, depths))
            masks.append(torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask)
        return {depth: torch.cat([each[depth] for each in found], 1) for depth in depths}, torch.cat(masks, 1)
