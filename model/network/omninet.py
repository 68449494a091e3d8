"""The whole network: peripherals, Central Neural Processor and output heads (paper, Fig. 1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omninet.model.decoding.goal import Depth
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.cnp import CNP
from omninet.model.network.memory import Memory
from omninet.model.network.temporal_encoder import Exits
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS

Inputs = Sequence[tuple[str, str, Any]]
"""For each input: the name of its peripheral, its domain and its collated batch."""


class OmniNet(nn.Module):
    """Peripherals and CNP: encodes any combination of inputs into a Memory, from which ``cnp`` decodes.

    Attributes:
        peripherals: name -> encoder of one modality.
        heads: task -> output head, which computes the training loss and values from hidden states.
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
        self.heads = nn.ModuleDict(
            {
                name: OUTPUTS[task.output].head().of(task, d, config.vocabularies.get(task.vocabulary, 0))
                for name, task in config.tasks.items()
            }
        )

    def encode(
        self, inputs: Inputs, moves: bool = True, auxiliary: Auxiliary | None = None, exits: Exits | None = None
    ) -> Memory:
        """Encode inputs in the given order.

        Args:
            moves: add motion features to video frames; only for tasks that were trained with them (``Task.moves``).
            auxiliary: gets what the layers return besides their outputs.
            exits: the hidden states of each input at each depth that is a key are appended to its list.

        Raises:
            ValueError: no inputs, or see CNP.encode.
        """
        memory: Memory | None = None
        for peripheral, domain, batch in inputs:
            x, mask = self.peripherals[peripheral](batch, moves)
            memory = self.cnp.encode(x, domain, memory, mask, auxiliary, exits)
        if memory is None:
            raise ValueError("a memory needs at least one input")
        return memory

    def exits(
        self, inputs: Inputs, depths: Collection[Depth], moves: bool = True
    ) -> tuple[dict[Depth, Tensor], Tensor]:
        """Return the hidden states of all inputs at some depths (early exits), and the mask of their steps.

        Args:
            depths: see ``CNP.exits``.
            moves: see ``encode``.

        Returns:
            depth -> hidden states, (b, R, d) or, of cells, (b, P, d); and the mask, (b, R).
        """
        found, masks = [], []
        for peripheral, domain, batch in inputs:
            x, mask = self.peripherals[peripheral](batch, moves)
            found.append(self.cnp.exits(x, domain, mask, depths))
            masks.append(torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask)
        return {depth: torch.cat([each[depth] for each in found], 1) for depth in depths}, torch.cat(masks, 1)
