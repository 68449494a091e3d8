"""Communication between the processes that torchrun has started, with Hugging Face Accelerate."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.fsdp import FSDPModule
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor

from omninet.model.errors import ConfigError, DeviceError, OmniNetError, install_command
from omninet.training.runtime.interrupt import Stopped
from omninet.training.runtime.launch import Launch
from omninet.training.runtime.step import Peers

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
TURNS = 3
PATIENCE = timedelta(hours=12)  # collective time-out: one rank may compute features or evaluate while the others wait


class Ranks(Peers):
    """Peers in separate processes, each with its own device; all must make the same collective calls in the same order.

    Raises:
        ConfigError: Accelerate is not installed.
        DeviceError: there are more ranks on this machine than CUDA devices.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.accelerator = _accelerator(launch)
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        device = self.accelerator.device
        # Accelerate numbers CPUs as well, but torch treats "cpu:1" and "cpu" as different devices.
        self.device = torch.device("cpu") if device.type == "cpu" else device

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # After a failure of one rank, waiting for the others would deadlock.
        if kind in (None, Stopped):
            self.accelerator.end_training()

    def totals(self, *values: float) -> list[float]:
        """Return each value summed over the ranks; a collective call."""
        summed: Tensor = self.accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=self.device), "sum")
        return summed.tolist()

    @contextmanager
    def no_sync(self, objective: nn.Module) -> Iterator[None]:
        """Accumulate gradients locally, without synchronisation."""
        if isinstance(objective, FSDPModule):
            objective.set_requires_gradient_sync(False)
            try:
                yield
            finally:
                objective.set_requires_gradient_sync(True)
        else:
            with self.accelerator.no_sync(objective):
                yield

    def clip(self, parameters: Iterable[nn.Parameter], largest: float) -> float:
        """Clip gradients to a maximum norm over all shards; return the norm before clipping."""
        norm = self.accelerator.clip_grad_norm_(parameters, largest)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def copy_from_first(self, *tensors: Tensor) -> None:
        """Broadcast tensors from rank 0, in place."""
        from accelerate.utils import broadcast

        for tensor in tensors:
            broadcast(tensor)

    def from_first(self, make: Callable[[], T]) -> T:
        """Call ``make`` on rank 0 only, and return its result on every rank.

        Raises:
            OmniNetError: ``make`` raised it on rank 0; it is raised on every rank.
        """
        from accelerate.utils import broadcast_object_list

        found = broadcast_object_list([_try(make) if self.rank == 0 else None])
        value: T = _value(found[0])
        return value

    def in_turn(self, make: Callable[[], T]) -> T:
        """Call ``make`` on rank 0, then on the first rank of each other machine, then on the remaining ranks.

        Later ranks find files that earlier ones have cached, whether the machines share a disk or not.

        Raises:
            OmniNetError: ``make`` raised it on any rank; it is raised on every rank.
        """
        from accelerate.utils import gather_object

        mine: tuple[T | None, OmniNetError | None] = (None, None)
        for turn in range(TURNS):
            if turn == self.launch.turn:
                mine = _try(make)
            for error in gather_object([mine[1]]):
                _value((None, error))
        value: T = _value(mine)
        return value


def named(count: int) -> str:
    """Return the number of ranks as text."""
    return f"{count} rank{'s' if count > 1 else ''}"


def _accelerator(launch: Launch) -> Accelerator:
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
    except ModuleNotFoundError as error:
        message = f"--runner distributed needs {error.name}, which is not installed: {install_command('distributed')}"
        raise ConfigError(message) from error
    cards = torch.cuda.device_count()
    if cards and launch.local_ranks > cards:
        raise DeviceError(f"{launch.local_ranks} ranks on this machine cannot share {cards} CUDA devices")
    if distributed.is_torchelastic_launched():
        # Sharded parameters are gathered, saved and restored on the CPU.
        _init_process_group(launch, "cuda:nccl,cpu:gloo" if cards else "gloo")
    # Each step uses the heads of one task only; buffers belong to frozen modules and never change.
    wrapping = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
    return Accelerator(cpu=not cards, kwargs_handlers=[wrapping])


def _init_process_group(launch: Launch, backend: str) -> None:
    """Initialise the process group, which Accelerate then uses."""
    store, rank, ranks = next(rendezvous("env://", timeout=PATIENCE))
    if os.environ.get("TORCH_DISABLE_SHARE_RDZV_TCP_STORE") != "1":
        # Torchrun passes the same store to restarted ranks; without a prefix they would read stale addresses.
        store = PrefixStore(f"start {launch.restarts}", store)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=PATIENCE)


def _try(make: Callable[[], T]) -> tuple[T | None, OmniNetError | None]:
    try:
        return make(), None
    except OmniNetError as error:
        return None, error


def _value(tried: tuple[T | None, OmniNetError | None]) -> T:
    value, error = tried
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # without an error there is a value
