"""``omninet doctor``: versions, machine and checkpoint of this installation, and what is unusual about them."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.app.settings import Settings
from omninet.app.telemetry.machine import cpu_name, memory
from omninet.app.variables import unknown
from omninet.model.errors import OmniNetError

if TYPE_CHECKING:
    from omninet.model.predictor import Predictor

PACKAGES = (
    "torch",
    "torchvision",
    "onnxruntime",
    "numpy",
    "pillow",
    "av",
    "sentencepiece",
    "fastapi",
    "uvicorn",
    "pydantic",
)
GIB = 2**30
AT_REST = GIB  # bytes; memory of a server with a small model and nothing to do, docs/benchmarks.md


def doctor(settings: Settings) -> int:
    """Print the facts and the findings; return 0, or 2 if the model of the settings cannot be loaded."""
    facts, findings, code = versions() | machine(), list(unusual(settings)), 0
    try:
        facts |= model(settings)
    except OmniNetError as error:
        findings.append(f"the model cannot be loaded: {error}")
        code = 2
    print("\n".join(f"{name:12} {value}" for name, value in facts.items()))
    print("\n" + ("\n".join(f"! {finding}" for finding in findings) or "Nothing unusual was found."))
    return code


def versions() -> dict[str, str]:
    """Return the versions of the package, of Python and of the libraries."""
    return {
        "omninet": _version("omninet"),
        "python": f"{platform.python_version()}, {platform.platform()}",
        "libraries": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }


def machine() -> dict[str, str]:
    """Return what this process may use of the machine."""
    import torch

    from omninet.app.engine.threads import cores

    total, available = memory()
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    folder = tempfile.gettempdir()
    return {
        "processor": f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}, {cores()} of {os.cpu_count()} cores",
        "gpus": ", ".join(gpus) or "none",
        "memory": f"{total / GIB:.1f} GiB, {available / GIB:.1f} GiB available",
        "temporary": f"{folder}, {shutil.disk_usage(folder).free / GIB:.1f} GiB free",
    }


def model(settings: Settings) -> dict[str, str]:
    """Load the model as the server does; return where and how it computes.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DeviceError: a device cannot be used.
    """
    import torch

    from omninet.app.engine.loading import load_predictors

    began = time.perf_counter()
    predictor = load_predictors(settings)[0]
    seconds = time.perf_counter() - began
    loaded = f"{predictor.name} {predictor.version}, loaded in {seconds:.1f} s"
    return {
        "checkpoint": f"{settings.checkpoint_folder()}, {loaded}",
        "weights": f"SHA-256 {predictor.digest}",
        "tasks": ", ".join(predictor.tasks),
        "device": str(predictor.device),
        "precision": _precision(predictor),
        "threads": f"{torch.get_num_threads()} for each of the two stages of the model",
    }


def unusual(settings: Settings) -> Iterator[str]:
    """Yield what may make the service fail or slow, each with what to do about it."""
    yield from _missing()
    yield from _environment(settings)
    yield from _resources(settings)


def _missing() -> Iterator[str]:
    for name in PACKAGES:
        if _version(name) == "missing":
            yield f"package {name} is not installed; install omninet again"


def _environment(settings: Settings) -> Iterator[str]:
    from omninet.app.engine.threads import cores

    for name, nearest in unknown(os.environ).items():
        yield f"{name} is not a setting and has no effect" + (f"; did you mean {nearest}?" if nearest else "")
    if (settings.torch_threads or 0) > cores():
        yield f"OMNINET_TORCH_THREADS is {settings.torch_threads}, but {cores()} cores can be used; lower it"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if name in os.environ:
            yield f"{name} is set; OMNINET_TORCH_THREADS sets the threads of the model"


def _resources(settings: Settings) -> Iterator[str]:
    import torch

    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        yield "torch finds neither AVX2 nor AVX-512 on this processor; expect several times the usual latency"
    if Path("/dev/nvidia0").exists() and not torch.cuda.is_available():
        yield "there is an NVIDIA GPU, but torch cannot use it; install torch with CUDA and a driver that fits it"
    needed = AT_REST + settings.media_processes * settings.media_memory_bytes
    if (available := memory()[1]) < needed:
        message = f"{available / GIB:.1f} GiB of memory are available, but the service may take {needed / GIB:.1f} GiB"
        yield f"{message}; lower OMNINET_MEDIA_PROCESSES or OMNINET_MEDIA_MEMORY_BYTES"
    if shutil.disk_usage(tempfile.gettempdir()).free < 4 * settings.max_upload_bytes:
        yield f"{tempfile.gettempdir()} has too little space for large uploads; set TMPDIR to another folder"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _precision(predictor: Predictor) -> str:
    found = predictor.agreement
    if found is None:
        return predictor.precision
    return f"{predictor.precision}, {found.flipped} of {found.clear} clear outputs differ from float32"
