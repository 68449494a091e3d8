"""From the settings to an engine whose model has been tried."""

from __future__ import annotations

import ctypes
import math
import os
from contextlib import suppress
from pathlib import Path

import torch

from omninet.app.engine.engine import Engine
from omninet.app.settings import Settings
from omninet.model import checkpoint as checkpoints
from omninet.model.extensions import load_extensions
from omninet.model.fast.devices import choose_device, foresee_precision
from omninet.model.predictor import Predictor

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def check(settings: Settings) -> None:
    """Find at once, before anything is loaded, what can be found to be wrong with the devices or the checkpoint.

    Raises:
        CheckpointError, DeviceError: say what it is.
    """
    for name in settings.devices():
        foresee_precision(settings.precision, choose_device(name))
    checkpoints.skim(settings.checkpoint_folder())


def load_engine(settings: Settings) -> Engine:
    """Read the checkpoint and run every task on each device; it takes seconds.

    Raises:
        CheckpointError, DeviceError: say what is wrong with the folder or the devices.
    """
    load_extensions()
    engine = Engine(
        load_predictors(settings),
        batch_rows=settings.batch_rows,
        max_waiting=settings.max_waiting_rows,
        max_waiting_bytes=settings.max_waiting_bytes,
    )
    engine.warm_up()
    _give_back_memory()
    return engine


def _give_back_memory() -> None:
    """Let the system have what loading took and needs no more; of a large network that is half of its size."""
    with suppress(AttributeError):  # glibc has it, other libraries have not
        ctypes.CDLL(None).malloc_trim(0)


def load_predictors(settings: Settings) -> list[Predictor]:
    """The checkpoint, read once, on each device of the settings."""
    names = settings.devices()
    on_cpu = [choose_device(name).type for name in names].count("cpu")  # before minutes are spent on reading
    torch.set_num_threads(cpu_threads(settings.torch_threads, on_cpu))
    checkpoint = checkpoints.load(settings.checkpoint_folder())
    return [
        Predictor(checkpoint, device=name, precision=settings.precision, limits=settings.media_limits())
        for name in names
    ]


def cpu_threads(wanted: int | None, replicas: int) -> int:
    """How many of ``wanted`` threads a stage of each replica on the CPU has; None is half of ``cores()``."""
    # Stages work beside one another. With more threads than cores, those that wait for one another would wait long.
    total = wanted or cores() // 2
    return max(1, total // max(1, replicas))


def cores(quota: Path = CPU_QUOTA) -> int:
    """How many this process may use: those of its affinity, and no more than the quota of its container."""
    found = len(os.sched_getaffinity(0))
    # Without a quota the file says "max"; where there is no container, or no cgroup v2, it is not there.
    with suppress(OSError, ValueError):
        microseconds, period = map(int, quota.read_text().split())
        found = min(found, math.ceil(microseconds / period))
    return found
