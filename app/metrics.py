"""What the service counts and measures, for Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from app.media import MediaPool

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The figures of one application, all of them at zero.

    Attributes:
        requests: answered, by endpoint, status and code of the error.
        seconds: from a request's head to the end of its answer, by endpoint.
        stages: the parts of an answer's time, by endpoint and stage.
        waiting, waiting_bytes: rows that no replica has taken, by kind, and their size.
        running: rows that replicas have taken and not answered.
        batch: rows in the running batch, at each of its steps.
        steps: of the decoder.
        rows: that steps have advanced, by task: the mix of the batches.
        tokens: that answers have, by task.
        frames: that went through the backbone.
        abandoned: rows that left the model because nobody waited any more.
        failed: rows that the model failed on.
        restarts: of replicas that failed on no row in particular.
        reloads: of the checkpoint, by result.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside every counter, which nobody reads
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Answered requests.", "endpoint", "status", "code")
        self.seconds = self._histogram("request_seconds", "Time of an answer.", SECONDS, "endpoint")
        self.stages = self._histogram("stage_seconds", "Time of a stage of an answer.", SECONDS, "endpoint", "stage")
        self.waiting = self._gauge("waiting_rows", "Rows in the queue.", "kind")
        self.waiting_bytes = self._gauge("waiting_bytes", "Size of the rows in the queue.")
        self.running = self._gauge("running_rows", "Rows that the model has taken and not answered.")
        self.batch = self._histogram("batch_rows", "Rows that a step of the decoder advances.", ROWS)
        self.steps = self._counter("decoder_steps", "Steps of the decoder.")
        self.rows = self._counter("decoded_rows", "Rows that steps have advanced.", "task")
        self.tokens = self._counter("tokens", "Outputs that answers have.", "task")
        self.frames = self._counter("frames", "Frames that went through the backbone.")
        self.abandoned = self._counter("abandoned_rows", "Rows that left the model, since nobody waited any more.")
        self.failed = self._counter("failed_rows", "Rows that the model failed on.")
        self.restarts = self._counter("engine_restarts", "Failures that belong to no row.")
        self.reloads = self._counter("reloads", "Reloads of the checkpoint.", "result")
        self._media_busy = self._gauge("media_busy_processes", "Processes that decode an upload.")
        self._media_waiting = self._gauge("media_waiting_uploads", "Uploads that wait to be decoded.")
        self._media_replaced = _Watched("omninet_media_replaced_processes", "Processes for media that were replaced.")
        self.registry.register(self._media_replaced)
        self._ready = self._gauge("ready", "Whether requests are taken.")
        self._deadline = self._gauge("deadline_seconds", "Longest that an answer may take.")
        self._waiting_limit = self._gauge("waiting_rows_limit", "Rows from which on more are refused.")
        self._model = self._gauge("model_info", "The model that is served.", "name", "version", "precision")
        build = self._gauge("build_info", "What the service is made of.", "version", "python", "torch")
        build.labels(version("omninet"), platform.python_version(), torch.__version__).set(1)
        self._watch_devices()

    def watch_service(self, deadline: float, max_waiting: int, is_ready: Callable[[], bool]) -> None:
        """Tell the limits, in seconds and rows, and read whether requests are taken whenever somebody asks."""
        self._deadline.set(deadline)
        self._waiting_limit.set(max_waiting)
        self._ready.set_function(is_ready)

    def watch_queue(self, depths: Callable[[], Mapping[str, int]], size: Callable[[], int]) -> None:
        """Read the queue whenever somebody asks."""
        for kind in depths():
            self.waiting.labels(kind).set_function(partial(lambda kind: depths()[kind], kind))
        self.waiting_bytes.set_function(size)

    def watch_media(self, pool: MediaPool) -> None:
        """Read the processes that decode uploads whenever somebody asks."""
        self._media_busy.set_function(pool.busy)
        self._media_waiting.set_function(pool.waiting)
        self._media_replaced.read = pool.replaced

    def serves(self, name: str, version: str, precision: str) -> None:
        """Tell which model answers from now on."""
        self._model.clear()
        self._model.labels(name, version, precision.removeprefix("torch.")).set(1)

    def stepped(self, tasks: Mapping[str, int]) -> None:
        """Note a step of the decoder that advances so many rows of each task."""
        self.steps.inc()
        self.batch.observe(sum(tasks.values()))
        for task, rows in tasks.items():
            self.rows.labels(task).inc(rows)

    def answered(self, endpoint: str, timings: Mapping[str, float]) -> None:
        """Note the stages of an answer, in milliseconds."""
        for stage, milliseconds in timings.items():
            if stage != "total":
                self.stages.labels(endpoint, stage).observe(milliseconds / 1e3)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)

    def _watch_devices(self) -> None:
        """Without CUDA there is nothing to read."""
        memory = self._gauge("device_memory_bytes", "Memory that torch holds, by device.", "device")
        for device in range(torch.cuda.device_count()):
            memory.labels(f"cuda:{device}").set_function(partial(torch.cuda.memory_reserved, device))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"omninet_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"omninet_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"omninet_{name}", text, labels, buckets=buckets, registry=self.registry)


class _Watched(Collector):
    """A counter that is kept elsewhere and read whenever somebody asks."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.read: Callable[[], int] = lambda: 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        """As the registry wants it."""
        yield CounterMetricFamily(self.name, self.text, self.read())
