"""Prometheus metrics of the HTTP service."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from omninet.app.telemetry.registry import MetricSet

if TYPE_CHECKING:
    from omninet.app.media.pool import MediaPool

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics(MetricSet):
    """Metrics of one application; see EngineMetrics for those of the model.

    Attributes:
        requests: completed requests, by endpoint, status and error code.
        seconds: histogram of seconds from the headers of a request to the end of its response, by endpoint.
        stages: histogram of seconds spent in each stage of a request, by endpoint and stage.
        reloads: reloads of the checkpoint, by result.
        revivals: restarts of the model after its process had died.
    """

    def __init__(self) -> None:
        super().__init__()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Completed requests.", "endpoint", "status", "code")
        self.seconds = self._histogram(
            "request_seconds", "Time from request to response in seconds.", SECONDS, "endpoint"
        )
        self.stages = self._histogram(
            "stage_seconds", "Time of a stage of a request in seconds.", SECONDS, "endpoint", "stage"
        )
        self.reloads = self._counter("reloads", "Reloads of the checkpoint.", "result")
        self.revivals = self._counter("model_revivals", "Restarts of the model after its process had died.")
        self._media_busy = self._gauge("media_busy_processes", "Media processes that are decoding an upload.")
        self._media_waiting = self._gauge("media_waiting_uploads", "Uploads waiting to be decoded.")
        self._media_replaced = _CallbackCounter(
            "omninet_media_replaced_processes", "Media processes that were replaced."
        )
        self.registry.register(self._media_replaced)
        self._ready = self._gauge("ready", "Whether the model is ready.")
        self._deadline = self._gauge("deadline_seconds", "Longest deadline of a request in seconds.")
        self._waiting_limit = self._gauge(
            "waiting_rows_limit", "Rows in the queue from which on requests are rejected."
        )
        self._model = self._gauge("model_info", "The model that is served.", "name", "version", "precision")
        build = self._gauge("build_info", "Versions of the service and its libraries.", "version", "python", "torch")
        build.labels(version("omninet"), platform.python_version(), version("torch")).set(1)

    def watch_service(self, deadline: float, max_waiting: int, is_ready: Callable[[], bool]) -> None:
        """Export the limits of the service and whether it is ready.

        Args:
            deadline: longest deadline of a request in seconds.
            max_waiting: maximum number of rows in the queue.
            is_ready: called at each scrape.
        """
        self._deadline.set(deadline)
        self._waiting_limit.set(max_waiting)
        self._ready.set_function(is_ready)

    def watch_media(self, pool: MediaPool) -> None:
        """Export the state of a pool of media processes, read at each scrape."""
        self._media_busy.set_function(pool.busy)
        self._media_waiting.set_function(pool.waiting)
        self._media_replaced.read = pool.replaced

    def serves(self, name: str, version: str, precision: str) -> None:
        """Export name, version and precision of the model that is served from now on."""
        self._model.clear()
        self._model.labels(name, version, precision).set(1)

    def record_completed(self, endpoint: str, timings: Mapping[str, float]) -> None:
        """Record the stages of a completed request.

        Args:
            endpoint: template of the route.
            timings: milliseconds by stage; ``total`` is ignored.
        """
        for stage, milliseconds in timings.items():
            if stage != "total":
                self.stages.labels(endpoint, stage).observe(milliseconds / 1e3)


class _CallbackCounter(Collector):
    """A counter whose value is read by a callback at each scrape."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.read: Callable[[], int] = lambda: 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Yield the metric; called by the registry."""
        yield CounterMetricFamily(self.name, self.text, self.read())
