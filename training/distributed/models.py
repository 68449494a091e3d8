"""The trained model of each rank: replicated (DDP) or sharded (FSDP2)."""

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

from omninet.model.network.decoder import Decoder
from omninet.model.network.encoder_layers import ConvolutionLayer, EncoderLayer
from omninet.model.network.experts import Experts
from omninet.model.network.omninet import OmniNet
from omninet.training.distributed.ranks import Ranks
from omninet.training.runtime.shared import BETAS, EPSILON, GlobalModel, SharedAdam
from omninet.training.runtime.step import Objective
from omninet.training.runtime.trainer import Optimiser

# Modules whose parameters are gathered only while they compute. A decoder layer cannot be one: the decoder uses its
# keys and values projections before it calls the layer.
UNITS = (EncoderLayer, ConvolutionLayer, Decoder)


class Trained(Protocol):
    """A wrapped objective and its optimiser."""

    objective: nn.Module
    adam: Optimiser

    def gather(self) -> None:
        """Copy the trained parameters into the global model; a collective call."""
        ...


class Replicated:
    """The global model replicated on each rank; gradients are averaged (DDP)."""

    def __init__(self, network: OmniNet, model: GlobalModel, ranks: Ranks) -> None:
        objective = Objective(network.to(ranks.device))
        with warnings.catch_warnings():
            # Newer torch renames this option; Accelerate still uses the old name.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            self.objective: nn.Module = ranks.accelerator.prepare_model(objective, device_placement=False)
        self.adam: Optimiser = SharedAdam(model, 0)

    def gather(self) -> None:
        """Do nothing: the global model itself is trained."""


class Sharded:
    """A copy of the global model with parameters and moments sharded over the ranks (FSDP2).

    Accelerate supports sharding on GPUs only, so this uses torch directly.
    """

    def __init__(self, network: OmniNet, model: GlobalModel, ranks: Ranks) -> None:
        # Some layers return views; no caller changes them in place, so the warning does not apply.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
        mesh = init_device_mesh(ranks.device.type, (ranks.count,))
        self.objective: nn.Module = Objective(copy.deepcopy(network).to(ranks.device))
        for part in self.objective.modules():
            if isinstance(part, UNITS):
                fully_shard(part, mesh=mesh)
            if isinstance(part, Experts):
                part.idle_run = True  # FSDP2 reduces the gradients of equal parameters on all ranks
        frozen = {p for p in self.objective.parameters() if not p.requires_grad}
        fully_shard(self.objective, mesh=mesh, ignored_params=frozen)
        parameters = [p for p in self.objective.parameters() if p.requires_grad]
        self.adam: Optimiser = ShardedAdam(parameters, model)
        self.gather = self.adam.gather


class ShardedAdam:
    """Adam on sharded parameters, initialised from and gathered into a global model.

    Args:
        parameters: those of the global model, in the same order.
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
        """Update the parameters that have a gradient, at learning rate ``rate``; gradients are sharded."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.adam.step()

    @torch.no_grad()
    def gather(self) -> None:
        """Copy parameters, moments and step counts into the global model; a collective call."""
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
    """Shard rank 0's tensor in the same way as ``like``."""
    assert isinstance(like, DTensor)
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)


def _whole(shards: Tensor) -> Tensor:
    assert isinstance(shards, DTensor)
    return shards.full_tensor()
