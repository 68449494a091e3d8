"""What the service counts and measures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The figures of one application, all of them at zero.

    Attributes:
        requests: answered, by endpoint, status and code of the error.
        seconds: from a request's head to the end of its answer, by endpoint.
        stages: the parts of an answer's time, by endpoint and stage.
        waiting, waiting_bytes: rows that no replica has taken, by kind, and their size.
        running: rows in the running batch, at each of its steps.
        steps: of the decoder.
        rows: that steps have advanced, by task: the mix of the batches.
        tokens: that answers have, by task.
        frames: that went through the backbone.
        abandoned: rows that left the model because nobody waited any more.
        failed: rows that the model failed on.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Answered requests.", "endpoint", "status", "code")
        self.seconds = self._histogram("request_seconds", "Time of an answer.", SECONDS, "endpoint")
        self.stages = self._histogram("stage_seconds", "Time of a stage of an answer.", SECONDS, "endpoint", "stage")
        self.waiting = Gauge("omninet_waiting_rows", "Rows in the queue.", ["kind"], registry=self.registry)
        self.waiting_bytes = Gauge("omninet_waiting_bytes", "Size of the rows in the queue.", registry=self.registry)
        self.running = self._histogram("batch_rows", "Rows that a step of the decoder advances.", ROWS)
        self.steps = self._counter("decoder_steps", "Steps of the decoder.")
        self.rows = self._counter("decoded_rows", "Rows that steps have advanced.", "task")
        self.tokens = self._counter("tokens", "Outputs that answers have.", "task")
        self.frames = self._counter("frames", "Frames that went through the backbone.")
        self.abandoned = self._counter("abandoned_rows", "Rows that left the model, since nobody waited any more.")
        self.failed = self._counter("failed_rows", "Rows that the model failed on.")
        if torch.cuda.is_available():
            memory = Gauge("omninet_device_bytes", "Memory of the devices in use.", registry=self.registry)
            memory.set_function(lambda: sum(map(torch.cuda.memory_allocated, range(torch.cuda.device_count()))))

    def watch_queue(self, depths: Callable[[], Mapping[str, int]], size: Callable[[], int]) -> None:
        """Read the queue whenever somebody asks."""
        for kind in depths():
            self.waiting.labels(kind).set_function(partial(lambda kind: depths()[kind], kind))
        self.waiting_bytes.set_function(size)

    def stepped(self, tasks: Mapping[str, int]) -> None:
        """Note a step of the decoder that advances so many rows of each task."""
        self.steps.inc()
        self.running.observe(sum(tasks.values()))
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

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"omninet_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"omninet_{name}", text, labels, buckets=buckets, registry=self.registry)
