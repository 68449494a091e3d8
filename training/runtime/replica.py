"""A worker's own copy of the network."""

from __future__ import annotations

import torch

from omninet.model.network.omninet import OmniNet
from omninet.training.runtime.shared import GlobalModel


class Replica:
    """A network on a device whose trained parameters are copied from the global model at every step.

    What is frozen is not copied again; on a CPU it is not copied at all.
    """

    def __init__(self, network: OmniNet, model: GlobalModel, device: torch.device) -> None:
        self.model = model
        self.own = torch.empty_like(model.values, device=device)
        trained = [p for p in network.parameters() if p.requires_grad]
        for parameter, view in zip(trained, model.views(self.own), strict=True):
            parameter.data = view
        self.network = network.to(device)
        self.sync()

    def sync(self) -> None:
        """Take the parameters of the global model as they are at this moment."""
        self.own.copy_(self.model.values, non_blocking=True)
