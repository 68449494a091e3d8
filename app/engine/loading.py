"""Loading of the engine from the settings, with a trial run of the model."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from omninet.app.engine.engine import Engine
from omninet.app.engine.threads import cpu_threads
from omninet.app.settings import Settings
from omninet.model import checkpoint as checkpoints
from omninet.model.extensions import load_extensions
from omninet.model.fast.devices import choose_device, foresee_precision
from omninet.model.predictor import Predictor


def check(settings: Settings) -> None:
    """Check the devices and the checkpoint's metadata quickly, without loading the model.

    Raises:
        CheckpointError: the checkpoint's folder is missing or invalid.
        DeviceError: a device does not exist or does not support the precision.
    """
    for name in settings.devices():
        foresee_precision(settings.precision, choose_device(name))
    settings.network()


def load_engine(settings: Settings) -> Engine:
    """Load the checkpoint on each device and run every task once; takes seconds.

    Raises:
        CheckpointError: the checkpoint cannot be loaded, or a task gives NaN or infinite probabilities.
        DeviceError: a device cannot be used.
    """
    load_extensions()
    engine = Engine(
        load_predictors(settings),
        batch_rows=settings.batch_rows,
        max_waiting=settings.max_waiting_rows,
        max_waiting_bytes=settings.max_waiting_bytes,
    )
    engine.warm_up()
    _release_heap()
    return engine


def _release_heap() -> None:
    """Return the heap memory that loading has freed to the operating system: up to half of a large network's size."""
    with suppress(AttributeError):  # malloc_trim exists only in glibc
        ctypes.CDLL(None).malloc_trim(0)


def load_predictors(settings: Settings) -> list[Predictor]:
    """Load the checkpoint once and place a replica on each device of the settings.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DeviceError: a device cannot be used.
    """
    names = settings.devices()
    on_cpu = [choose_device(name).type for name in names].count("cpu")  # first, so that a wrong device fails at once
    torch.set_num_threads(cpu_threads(settings.torch_threads, on_cpu))
    checkpoint = checkpoints.load(settings.checkpoint_folder(), settings.tasks or None)
    return [
        Predictor(checkpoint, device=name, precision=settings.precision, limits=settings.media_limits())
        for name in names
    ]
