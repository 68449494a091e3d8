"""Shared memory of a run's workers: the global model, Adam's moments, and counters.

There are no locks. Each worker writes its counters into its own row, so that a killed worker cannot block another;
parameters and moments are written concurrently (Hogwild: paper, section 3.3; Recht et al. 2011).
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
STALENESS = 256  # the last bin of the histogram counts all larger values


class GlobalModel:
    """The trained parameters of a network and their Adam moments, each in one flat shared buffer.

    The parameters of ``network`` become views of the buffer.

    Attributes:
        names: of the trained parameters, in the order of the network.
        values, first, second: parameters and Adam's first and second moments, each (size,).
        updates: number of updates of each parameter by each worker, (workers + 1, parameters) on the CPU; the last
            row counts updates before the run was resumed.
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
        """Split a buffer (size,) into one view per parameter."""
        return _split(flat, self.shapes)

    def state(self) -> dict[str, Any]:
        """Return a copy of parameters, moments and update counts, by name of the parameter."""
        counts = self.updates.sum(0).tolist()
        state: dict[str, dict[str, Any]] = {name: {"updates": n} for name, n in zip(self.names, counts, strict=True)}
        for kind, flat in zip(KINDS, (self.values, self.first, self.second), strict=True):
            for name, view in zip(self.names, self.views(flat), strict=True):
                state[name][kind] = view.cpu().clone()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load a state returned by ``state``.

        Raises:
            ValueError: names or shapes differ from this network's; the message names the first difference.
        """
        if different := sorted(set(state) ^ set(self.names)):
            raise ValueError(f"parameter {different[0]} is in only one of the two networks")
        for kind, flat in zip(KINDS, (self.values, self.first, self.second), strict=True):
            for name, view in zip(self.names, self.views(flat), strict=True):
                if view.shape != state[name][kind].shape:
                    theirs = tuple(state[name][kind].shape)
                    raise ValueError(f"parameter {name} has shape {tuple(view.shape)}, the saved one {theirs}")
                view.copy_(state[name][kind])
        self.updates.zero_()
        self.updates[-1] = torch.tensor([state[name]["updates"] for name in self.names])


class SharedAdam:
    """Adam (Kingma, Ba 2015) on the global model, for one worker; moments and step counts are shared by all workers."""

    def __init__(self, model: GlobalModel, worker: int) -> None:
        self.model, self.worker = model, worker
        self.masters = [nn.Parameter(view) for view in model.views(model.values)]
        self.adam = torch.optim.Adam(self.masters, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)
        self.steps = torch.zeros(len(self.masters), device=model.values.device)
        moments = zip(model.views(model.first), model.views(model.second), strict=True)
        for master, step, (first, second) in zip(self.masters, self.steps, moments, strict=True):
            self.adam.state[master] = {"step": step, "exp_avg": first, "exp_avg_sq": second}

    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Update the parameters that have a gradient, at learning rate ``rate``; gradients may be on any device."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.steps.copy_(self.model.updates.sum(0))
        for master, gradient in zip(self.masters, self._on_device(gradients), strict=True):
            master.grad = gradient
        self.adam.step()
        if self.model.values.is_cuda:
            torch.cuda.synchronize(self.model.values.device)  # count an update only once it has been applied
        self.model.updates[self.worker] += torch.tensor([gradient is not None for gradient in gradients])

    def _on_device(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Move gradients to the device of the global model, in a single transfer."""
        device = self.model.values.device
        there = [g for g in gradients if g is not None]
        if all(g.device == device for g in there):
            return list(gradients)
        flat = torch.cat([g.flatten() for g in there]).to(device)
        parts = iter(_split(flat, [g.shape for g in there]))
        return [None if g is None else next(parts) for g in gradients]


class Order(IntEnum):
    """Order of the main process to the workers."""

    RUN = 0
    PAUSE = 1
    STOP = 2


@dataclass(frozen=True)
class Slots:
    """Counters in shared memory; every row is written by one process only.

    Attributes:
        steps: taken by each worker, (workers).
        left_out: steps that each worker has left out because its task was stopped, (workers).
        quota: steps that each worker has to take or leave out in all, written once by the main process, (workers).
        stopped: 1 if the worker's task is stopped, written by the main process, (workers).
        skipped: unreadable samples of each worker, (workers).
        paused: 1 before the first step and while the worker obeys Order.PAUSE, (workers).
        running: 1 while the worker is alive and not done, written by the main process, (workers).
        staleness: histogram of the number n of other workers' updates between sync and own update, (workers, n).
        order: an Order, written by the main process, (1).
    """

    steps: Tensor
    left_out: Tensor
    quota: Tensor
    stopped: Tensor
    skipped: Tensor
    paused: Tensor
    running: Tensor
    staleness: Tensor
    order: Tensor

    @classmethod
    def of(cls, workers: int) -> Slots:
        """Return counters that are all zero."""
        sizes = [(workers,)] * 7 + [(workers, STALENESS + 1), (1,)]
        return cls(*(_shared(torch.zeros(size, dtype=torch.long)) for size in sizes))

    @property
    def done(self) -> Tensor:
        """Return the number of steps that each worker has taken or left out, (workers)."""
        return self.steps + self.left_out


def _shared(tensor: Tensor) -> Tensor:
    tensor.share_memory_()  # type: ignore[no-untyped-call]
    return tensor


def _split(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Split a buffer (size,) into views of the given shapes."""
    parts = torch.split(flat, [shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
