"""Head of transcripts: the decoder's loss beside that of an alignment by CTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Reads
from omninet.model.outputs.head import ClassHead, Loss, States
from omninet.model.tasks import Task

ALIGNED = 1.0  # weight of the CTC loss; a few minutes of speech do not train attention alone


class TranscriptHead(ClassHead):
    """Cross entropy of the characters, and CTC (Graves et al. 2006) on the output of the temporal encoder.

    Both share the vocabulary: in an alignment the end token, which no recording says, is the blank.
    """

    def __init__(self, task: Task, d_model: int, classes: int) -> None:
        super().__init__(task, d_model)
        self.steps = nn.Linear(d_model, classes)

    @classmethod
    def of(cls, task: Task, d_model: int, classes: int) -> Self:
        """Build the head with a classifier of the time steps."""
        return cls(task, d_model, classes)

    def needs(self, config: CNPConfig) -> tuple[Reads, ...]:
        """Return the classes, and the last layer of the temporal encoder."""
        return ("classes", config.encoder_layers * config.recurrent_steps)

    def alignment(self, states: Tensor) -> Tensor:
        """Compute log-probabilities of the characters and the blank at each time step, (b, t, c)."""
        return torch.log_softmax(self.steps(states).float(), -1)

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compute both losses; every row of targets ends with the end token."""
        found = super().loss(states, targets, mask)
        (encoded,) = (given for reads, given in states.items() if reads != "classes")
        steps = self.alignment(encoded.values)
        lengths = mask.sum(1)
        real = torch.full_like(lengths, steps.shape[1]) if encoded.mask is None else encoded.mask.sum(1)
        end = int(targets[0, lengths[0] - 1])
        ctc = functional.ctc_loss(
            steps.transpose(0, 1), targets, real, lengths - 1, blank=end, reduction="sum", zero_infinity=True
        )
        return Loss(found.terms | {"ctc": ALIGNED * ctc}, found.right)
