"""What the ranks train: the network whole on each of them, or spread over all."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from omninet.model.network.cnp import Decoder
from omninet.model.network.layers import EncoderLayer
from omninet.model.network.omninet import OmniNet
from omninet.training.distributed.ranks import Ranks
from omninet.training.runtime.shared import BETAS, EPSILON, GlobalModel, SharedAdam
from omninet.training.runtime.step import Objective
from omninet.training.runtime.trainer import Optimiser

# Parts of the network that are put together only while they compute. A decoder layer is none: the decoder asks it
# for keys and values of the memory before it calls it.
UNITS = (EncoderLayer, Decoder)


class Trained(Protocol):
    """What the ranks train, and what updates it."""

    objective: nn.Module
    adam: Optimiser

    def gather(self) -> None:
        """Bring the global model up to date; all ranks must ask."""
        ...


class Replicated:
    """The global model of each rank, kept alike by the mean of their gradients (DDP)."""

    def __init__(self, network: OmniNet, model: GlobalModel, ranks: Ranks) -> None:
        objective = Objective(network.to(ranks.device))
        with warnings.catch_warnings():
            # Torch is about to give that option another name, and Accelerate will follow.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            self.objective: nn.Module = ranks.accelerator.prepare_model(objective, device_placement=False)
        self.adam: Optimiser = SharedAdam(model, 0)

    def gather(self) -> None:
        """Nothing: the global model is what is trained."""


class Sharded:
    """A copy of the global model, of whose parameters and moments each rank has a part (FSDP2).

    Accelerate shards on graphics cards alone, so it is torch that does it here.
    """

    def __init__(self, network: OmniNet, model: GlobalModel, ranks: Ranks) -> None:
        # Layers return views, which nobody changes in place.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
        mesh = init_device_mesh(ranks.device.type, (ranks.count,))
        self.objective: nn.Module = Objective(copy.deepcopy(network).to(ranks.device))
        for part in self.objective.modules():
            if isinstance(part, UNITS):
                fully_shard(part, mesh=mesh)
        frozen = {p for p in self.objective.parameters() if not p.requires_grad}
        fully_shard(self.objective, mesh=mesh, ignored_params=frozen)
        parameters = [p for p in self.objective.parameters() if p.requires_grad]
        self.adam: Optimiser = ShardedAdam(parameters, model)
        self.gather = self.adam.gather


class ShardedAdam:
    """Adam on sharded parameters, whose state is that of a global model.

    Args:
        parameters: those of the model, in its order.
    """

    worker = 0

    def __init__(self, parameters: Sequence[nn.Parameter], model: GlobalModel) -> None:
        self.parameters, self.model = parameters, model
        self.adam = torch.optim.Adam(parameters, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)
        moments = zip(model.views(model.first), model.views(model.second), strict=True)
        counts = model.updates.sum(0).float()
        for parameter, count, (first, second) in zip(parameters, counts, moments, strict=True):
            self.adam.state[parameter] = {
                "step": count.to(parameter.device),
                "exp_avg": _spread(first, parameter),
                "exp_avg_sq": _spread(second, parameter),
            }

    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Update at learning rate ``rate`` the parameters that have a gradient, a shard as they are."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.adam.step()

    @torch.no_grad()
    def gather(self) -> None:
        """Bring the global model up to date."""
        model = self.model
        views = zip(*(model.views(flat) for flat in (model.values, model.first, model.second)), strict=True)
        for number, (parameter, (value, first, second)) in enumerate(zip(self.parameters, views, strict=True)):
            state = self.adam.state[parameter]
            value.copy_(_whole(parameter))
            first.copy_(_whole(state["exp_avg"]))
            second.copy_(_whole(state["exp_avg_sq"]))
            model.updates[:, number] = 0
            model.updates[-1, number] = int(state["step"])


def _spread(whole: Tensor, like: Tensor) -> DTensor:
    """A tensor in shards as those of another, given out by the first rank."""
    assert isinstance(like, DTensor)
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)


def _whole(shards: Tensor) -> Tensor:
    assert isinstance(shards, DTensor)
    return shards.full_tensor()
