"""Log of a run: one line of JSON for every step, evaluation and message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omninet.training.watch.records import EvaluationRecord, ScheduleRecord, StepRecord


class Log:
    """Writes records as JSON with an additional key ``kind``: ``step``, ``evaluation``, ``schedule`` or ``message``.

    If a loss has several terms, each has its own key, ``loss/<name>``. A step has ``loads`` if the
    network has mixtures of experts.

    Args:
        path: of the log; an existing log is continued, without the steps after ``start_step``.
        start_step: steps done before this call; 0 starts a new log.
    """

    def __init__(self, path: Path, start_step: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _cut(path, start_step)
        # Line buffering, so that a killed run loses no lines; the cost is negligible compared with a step.
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def step(self, record: StepRecord) -> None:
        """Write a step."""
        values = asdict(record)
        terms = {f"loss/{name}": value for name, value in values.pop("terms").items()}
        if not values["loads"]:
            del values["loads"]
        self._write("step", values | terms)

    def evaluation(self, record: EvaluationRecord) -> None:
        """Write an evaluation with its metrics and samples."""
        values = {"measures": dict(record.measures), "samples": [asdict(sample) for sample in record.samples]}
        self._write("evaluation", {"step": record.step, "seconds": record.seconds} | values)

    def schedule(self, record: ScheduleRecord) -> None:
        """Write the state of a task."""
        self._write("schedule", asdict(record))

    def message(self, text: str) -> None:
        """Write a message with the time of day; messages are kept when a log is truncated."""
        self._write("message", {"time": datetime.now(UTC).isoformat(timespec="seconds"), "text": text})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        short = {name: float(f"{v:.7g}") if isinstance(v, float) else v for name, v in values.items()}
        self._file.write(json.dumps({"kind": kind} | short, ensure_ascii=False, default=str) + "\n")


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries, skipping lines that were truncated by a kill or a full disk."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            yield entry


def _cut(path: Path, last: int) -> None:
    """Remove the steps after ``last``; the log is replaced atomically."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for entry in read_log(path):
            if last and entry.get("step", 0) <= last:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    part.replace(path)
