"""A worker's own copy of the network."""

from __future__ import annotations

import torch

from omninet.model.network.omninet import OmniNet
from omninet.training.runtime.shared import GlobalModel


class Replica:
    """A network on a device whose trained parameters are copied from the global model before every step.

    Frozen parameters are copied to the device once; on a CPU they are shared.
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
        """Copy the current parameters of the global model."""
        self.own.copy_(self.model.values, non_blocking=True)
