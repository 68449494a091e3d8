"""What the workers of a run share: the global model, Adam's moments, and counters.

Nothing here is locked. Each worker writes its counters into a row of its own, so that one that is
killed at any moment leaves nothing that another could wait for; parameters and moments are written
by all at once, as Hogwild has it (paper, section 3.3; Recht et al. 2011).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.98), 1e-9
KINDS = ("value", "first", "second")
STALENESS = 256  # the last bin of the histogram takes what is over it


class GlobalModel:
    """The trained parameters of a network and their moments, each in one flat buffer.

    The network's own parameters become views of the buffer: who has the network has the global model.

    Attributes:
        names: of the trained parameters, in the order of the network.
        values, first, second: parameters and Adam's two moments, each (size,).
        updates: how often each worker has updated each parameter, (workers + 1, parameters) on the CPU; the last
            row counts what was done before this start.
    """

    def __init__(self, network: nn.Module, workers: int, device: torch.device | None = None) -> None:
        trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.names = list(trained)
        self.shapes = [p.shape for p in trained.values()]
        size = sum(p.numel() for p in trained.values())
        self.values, self.first, self.second = (_shared(torch.zeros(size, device=device)) for _ in range(3))
        self.updates = _shared(torch.zeros(workers + 1, len(trained), dtype=torch.long))
        for view, parameter in zip(self.views(self.values), trained.values(), strict=True):
            view.copy_(parameter.data)
            parameter.data = view

    def views(self, flat: Tensor) -> list[Tensor]:
        """A buffer (size,) as one tensor a parameter."""
        return _split(flat, self.shapes)

    def state(self) -> dict[str, Any]:
        """A copy of everything, by name of the parameter."""
        counts = self.updates.sum(0).tolist()
        state: dict[str, dict[str, Any]] = {name: {"updates": n} for name, n in zip(self.names, counts, strict=True)}
        for kind, flat in zip(KINDS, (self.values, self.first, self.second), strict=True):
            for name, view in zip(self.names, self.views(flat), strict=True):
                state[name][kind] = view.cpu().clone()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave.

        Raises:
            ValueError: it is of another network; the message names the first difference.
        """
        if different := sorted(set(state) ^ set(self.names)):
            raise ValueError(f"{different[0]} is in only one of the two")
        for kind, flat in zip(KINDS, (self.values, self.first, self.second), strict=True):
            for name, view in zip(self.names, self.views(flat), strict=True):
                if view.shape != state[name][kind].shape:
                    raise ValueError(f"{name} is {tuple(view.shape)} here and {tuple(state[name][kind].shape)} there")
                view.copy_(state[name][kind])
        self.updates.zero_()
        self.updates[-1] = torch.tensor([state[name]["updates"] for name in self.names])


class SharedAdam:
    """Adam (Kingma, Ba 2015) on the global model, for one worker; moments and step counts are everyone's."""

    def __init__(self, model: GlobalModel, worker: int) -> None:
        self.model, self.worker = model, worker
        self.masters = [nn.Parameter(view) for view in model.views(model.values)]
        self.adam = torch.optim.Adam(self.masters, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)
        self.steps = torch.zeros(len(self.masters), device=model.values.device)
        moments = zip(model.views(model.first), model.views(model.second), strict=True)
        for master, step, (first, second) in zip(self.masters, self.steps, moments, strict=True):
            self.adam.state[master] = {"step": step, "exp_avg": first, "exp_avg_sq": second}

    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Update at learning rate ``rate`` the parameters that have a gradient; it may lie on any device."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.steps.copy_(self.model.updates.sum(0))
        for master, gradient in zip(self.masters, self._carried(gradients), strict=True):
            master.grad = gradient
        self.adam.step()
        if self.model.values.is_cuda:
            torch.cuda.synchronize(self.model.values.device)  # what is counted has happened
        self.model.updates[self.worker] += torch.tensor([gradient is not None for gradient in gradients])

    def _carried(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Gradients on the device of the global model; from another one they come in one piece."""
        device = self.model.values.device
        there = [g for g in gradients if g is not None]
        if all(g.device == device for g in there):
            return list(gradients)
        flat = torch.cat([g.flatten() for g in there]).to(device)
        parts = iter(_split(flat, [g.shape for g in there]))
        return [None if g is None else next(parts) for g in gradients]


class Order(IntEnum):
    """What the main process wants of the workers."""

    RUN = 0
    PAUSE = 1
    STOP = 2


@dataclass(frozen=True)
class Slots:
    """Counters in shared memory; every row has one writer.

    Attributes:
        steps: that each worker has finished, (workers).
        quota: that it has to do in all, written once by the main process, (workers).
        skipped: samples that it could not read, (workers).
        paused: 1 until it begins, and while it waits between two steps because it was told to, (workers).
        running: 1 while it has something to do and is alive, written by the main process, (workers).
        staleness: how often n updates of others came between its sync and its own update, (workers, n).
        order: written by the main process alone, (1).
    """

    steps: Tensor
    quota: Tensor
    skipped: Tensor
    paused: Tensor
    running: Tensor
    staleness: Tensor
    order: Tensor

    @classmethod
    def of(cls, workers: int) -> Slots:
        """All at zero."""
        sizes = [(workers,)] * 5 + [(workers, STALENESS + 1), (1,)]
        return cls(*(_shared(torch.zeros(size, dtype=torch.long)) for size in sizes))


def _shared(tensor: Tensor) -> Tensor:
    tensor.share_memory_()  # type: ignore[no-untyped-call]
    return tensor


def _split(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """A buffer (size,) as tensors of the given shapes."""
    parts = torch.split(flat, [shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
