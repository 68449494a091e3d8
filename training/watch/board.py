"""Reports of a run as TensorBoard event files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from omninet.model.errors import InputError
from omninet.training.watch.pictures import strip
from omninet.training.watch.recent import Recent
from omninet.training.watch.records import EvaluationRecord, Sample, ScheduleRecord, StepRecord

PERIOD_S = 3.0  # of training time; each point averages the steps since the previous one
FLUSH_S = 10


class Board:
    """Writes metrics and samples for TensorBoard.

    Args:
        folder: for the event files.
        start_step: steps done before this call; later points of an earlier call are hidden.
        devices: of the run; for CUDA devices the used memory is recorded.
    """

    def __init__(self, folder: Path, start_step: int = 0, devices: Sequence[torch.device] = ()) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=start_step + 1, flush_secs=FLUSH_S)
        self._tasks: dict[str, Recent] = {}
        self._devices = [device for device in devices if device.type == "cuda"]
        self._due = 0.0

    def step(self, record: StepRecord) -> None:
        """Write a point every PERIOD_S seconds."""
        self._tasks.setdefault(record.task, Recent()).add(record)
        if record.seconds >= self._due:
            self._write_steps()
            self._due = record.seconds + PERIOD_S

    def evaluation(self, record: EvaluationRecord) -> None:
        """Write metrics as scalars, and samples as text and pictures."""
        for name, value in record.measures.items():
            self._writer.add_scalar(f"evaluation/{name}", value, record.step)
        for task in dict.fromkeys(sample.task for sample in record.samples):
            self._show(task, [sample for sample in record.samples if sample.task == task], record.step)

    def schedule(self, record: ScheduleRecord) -> None:
        """Write whether a task is stopped, 0 or 1, and its score."""
        self._writer.add_scalar(f"stopped/{record.task}", float(record.stopped), record.step)
        if record.score is not None:
            self._writer.add_scalar(f"score/{record.task}", record.score, record.step)

    def message(self, text: str) -> None:
        """Ignore messages; the log has them."""

    def close(self) -> None:
        """Write the remaining steps and close the files."""
        self._write_steps()
        self._writer.close()

    def _write_steps(self) -> None:
        for task, recent in self._tasks.items():
            if recent.records:
                self._write_task(task, recent)
                recent.clear()

    def _write_task(self, task: str, recent: Recent) -> None:
        step = recent.records[-1].step
        values = {
            "loss": recent.loss,
            **{f"loss_{name}": value for name, value in recent.terms.items()},
            "accuracy": recent.accuracy,
            "rate": recent.rate,
            "gradient_norm": recent.gradient_norm,
            "samples_per_second": recent.samples_per_second,
            "waiting": recent.waiting,
            "skipped": recent.skipped,
        }
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(f"{name}/{task}", value, step)
        self._writer.add_histogram(f"staleness/{task}", torch.tensor([r.staleness for r in recent.records]), step)
        for device in self._devices:
            # Device-wide memory, since the workers are other processes.
            free, total = torch.cuda.mem_get_info(device)
            self._writer.add_scalar(f"gpu_memory_gib/{device}", (total - free) / 2**30, step)

    def _show(self, task: str, samples: Sequence[Sample], step: int) -> None:
        self._writer.add_text(f"predictions/{task}", as_table(samples), step)
        for number, sample in enumerate(samples, 1):
            # An unreadable picture is left out; the text is still written.
            with suppress(InputError, OSError):
                if sample.media:
                    self._writer.add_image(f"predictions/{task}/{number}", strip(sample.media), step)


def as_table(samples: Sequence[Sample]) -> str:
    """Return a Markdown table, numbered like the pictures."""
    rows = [
        (str(number), s.media.name if s.media else "", s.question or "", s.truth, s.prediction)
        for number, s in enumerate(samples, 1)
    ]
    lines = [("", "media", "question", "truth", "prediction"), ("---",) * 5, *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
