"""What the service counts and measures, for Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from omninet.app.telemetry.registry import Figures

if TYPE_CHECKING:
    from omninet.app.media.pool import MediaPool

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics(Figures):
    """The figures of one application; those of the model are its engine's.

    Attributes:
        requests: answered, by endpoint, status and code of the error.
        seconds: from a request's head to the end of its answer, by endpoint.
        stages: the parts of an answer's time, by endpoint and stage.
        reloads: of the checkpoint, by result.
        revivals: of the model after its process had ended.
    """

    def __init__(self) -> None:
        super().__init__()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Answered requests.", "endpoint", "status", "code")
        self.seconds = self._histogram("request_seconds", "Time of an answer.", SECONDS, "endpoint")
        self.stages = self._histogram("stage_seconds", "Time of a stage of an answer.", SECONDS, "endpoint", "stage")
        self.reloads = self._counter("reloads", "Reloads of the checkpoint.", "result")
        self.revivals = self._counter("model_revivals", "Models loaded anew, since their process had ended.")
        self._media_busy = self._gauge("media_busy_processes", "Processes that decode an upload.")
        self._media_waiting = self._gauge("media_waiting_uploads", "Uploads that wait to be decoded.")
        self._media_replaced = _Watched("omninet_media_replaced_processes", "Processes for media that were replaced.")
        self.registry.register(self._media_replaced)
        self._ready = self._gauge("ready", "Whether requests are taken.")
        self._deadline = self._gauge("deadline_seconds", "Longest that an answer may take.")
        self._waiting_limit = self._gauge("waiting_rows_limit", "Rows from which on more are refused.")
        self._model = self._gauge("model_info", "The model that is served.", "name", "version", "precision")
        build = self._gauge("build_info", "What the service is made of.", "version", "python", "torch")
        build.labels(version("omninet"), platform.python_version(), version("torch")).set(1)

    def watch_service(self, deadline: float, max_waiting: int, is_ready: Callable[[], bool]) -> None:
        """Tell the limits, in seconds and rows, and read whether requests are taken whenever somebody asks."""
        self._deadline.set(deadline)
        self._waiting_limit.set(max_waiting)
        self._ready.set_function(is_ready)

    def watch_media(self, pool: MediaPool) -> None:
        """Read the processes that decode uploads whenever somebody asks."""
        self._media_busy.set_function(pool.busy)
        self._media_waiting.set_function(pool.waiting)
        self._media_replaced.read = pool.replaced

    def serves(self, name: str, version: str, precision: str) -> None:
        """Tell which model answers from now on."""
        self._model.clear()
        self._model.labels(name, version, precision).set(1)

    def answered(self, endpoint: str, timings: Mapping[str, float]) -> None:
        """Note the stages of an answer, in milliseconds."""
        for stage, milliseconds in timings.items():
            if stage != "total":
                self.stages.labels(endpoint, stage).observe(milliseconds / 1e3)


class _Watched(Collector):
    """A counter that is kept elsewhere and read whenever somebody asks."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.read: Callable[[], int] = lambda: 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        """As the registry wants it."""
        yield CounterMetricFamily(self.name, self.text, self.read())
