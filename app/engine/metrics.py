"""Metrics of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from prometheus_client import ProcessCollector

from omninet.app.telemetry.registry import MetricSet

ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class EngineMetrics(MetricSet):
    """Metrics of one engine; a new engine starts at zero.

    Attributes:
        waiting: rows in the queue, by kind.
        waiting_bytes: size of the rows in the queue.
        running: rows in progress.
        batch: histogram of the running batch's size at each decoder step.
        steps: decoder steps.
        rows: rows advanced by decoder steps, by task.
        tokens: outputs of completed rows, by task.
        frames: frames processed by the backbone.
        abandoned: rows whose request was cancelled while the model ran them.
        failed: rows that the model failed on.
        restarts: restarts of stages after failures that belong to no row.
    """

    def __init__(self) -> None:
        super().__init__()
        ProcessCollector("omninet_model", registry=self.registry)
        self.waiting = self._gauge("waiting_rows", "Rows in the queue.", "kind")
        self.waiting_bytes = self._gauge("waiting_bytes", "Size of the rows in the queue.")
        self.running = self._gauge("running_rows", "Rows in progress in the model.")
        self.batch = self._histogram("batch_rows", "Rows in the running batch at a decoder step.", ROWS)
        self.steps = self._counter("decoder_steps", "Steps of the decoder.")
        self.rows = self._counter("decoded_rows", "Rows advanced by decoder steps.", "task")
        self.tokens = self._counter("tokens", "Outputs of completed rows.", "task")
        self.frames = self._counter("frames", "Frames processed by the backbone.")
        self.abandoned = self._counter("abandoned_rows", "Rows cancelled while the model ran them.")
        self.failed = self._counter("failed_rows", "Rows that the model failed on.")
        self.restarts = self._counter("engine_restarts", "Restarts of stages after failures that belong to no row.")
        self._watch_devices()

    def watch_queue(self, depths: Callable[[], Mapping[str, int]], size: Callable[[], int]) -> None:
        """Export the queue's length by kind and its size in bytes, read at each scrape."""
        for kind in depths():
            self.waiting.labels(kind).set_function(partial(lambda kind: depths()[kind], kind))
        self.waiting_bytes.set_function(size)

    def record_step(self, tasks: Mapping[str, int]) -> None:
        """Record a decoder step.

        Args:
            tasks: name of a task -> number of its rows in the batch.
        """
        self.steps.inc()
        self.batch.observe(sum(tasks.values()))
        for task, rows in tasks.items():
            self.rows.labels(task).inc(rows)

    def _watch_devices(self) -> None:
        """Export the memory that torch has reserved on each CUDA device."""
        memory = self._gauge("device_memory_bytes", "Memory reserved by torch, by device.", "device")
        for device in range(torch.cuda.device_count()):
            memory.labels(f"cuda:{device}").set_function(partial(torch.cuda.memory_reserved, device))
