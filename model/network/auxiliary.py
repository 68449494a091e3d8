"""What layers return in training besides their outputs."""

from __future__ import annotations

from torch import Tensor


class Auxiliary:
    """Collects the auxiliary losses and the loads of experts of one training step.

    No dataclass: FSDP2 hands sharded modules a copy of a dataclass or dictionary whose tensors need gradients, and what
    they add to it would be lost.

    Attributes:
        losses: name -> scalar, on the scale of a mean over the targets.
        loads: mixture of experts -> number of positions that each expert has processed, (experts,).
    """

    def __init__(self) -> None:
        self.losses: dict[str, Tensor] = {}
        self.loads: dict[str, Tensor] = {}

    def add_loss(self, name: str, term: Tensor) -> None:
        """Add a term to the loss ``name``."""
        self.losses[name] = self.losses[name] + term if name in self.losses else term

    def add_load(self, name: str, counts: Tensor) -> None:
        """Add numbers of positions to those of the mixture ``name``."""
        self.loads[name] = self.loads[name] + counts if name in self.loads else counts
