"""What an engine counts and measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from prometheus_client import ProcessCollector

from omninet.app.telemetry.registry import Figures

ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class EngineMetrics(Figures):
    """The figures of one engine; those of another one begin at zero again.

    Attributes:
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
    """

    def __init__(self) -> None:
        super().__init__()
        ProcessCollector("omninet_model", registry=self.registry)
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
        self.restarts = self._counter("engine_restarts", "ErrorResponses that belong to no row.")
        self._watch_devices()

    def watch_queue(self, depths: Callable[[], Mapping[str, int]], size: Callable[[], int]) -> None:
        """Read the queue whenever somebody asks."""
        for kind in depths():
            self.waiting.labels(kind).set_function(partial(lambda kind: depths()[kind], kind))
        self.waiting_bytes.set_function(size)

    def stepped(self, tasks: Mapping[str, int]) -> None:
        """Note a step of the decoder that advances so many rows of each task."""
        self.steps.inc()
        self.batch.observe(sum(tasks.values()))
        for task, rows in tasks.items():
            self.rows.labels(task).inc(rows)

    def _watch_devices(self) -> None:
        """Without CUDA there is nothing to read."""
        memory = self._gauge("device_memory_bytes", "Memory that torch holds, by device.", "device")
        for device in range(torch.cuda.device_count()):
            memory.labels(f"cuda:{device}").set_function(partial(torch.cuda.memory_reserved, device))
