"""The run's log: a line of JSON for every step, evaluation and message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omninet.training.watch.records import EvaluationRecord, StepRecord


class Log:
    """Lines with the keys of the records and ``kind``: ``step``, ``evaluation`` or ``message``.

    Of a loss of several terms, each is a key of its own, ``loss/<name>``.

    Args:
        path: of the log; what is there is continued, without the steps that are done again.
        start_step: steps done before this call; 0 begins anew.
    """

    def __init__(self, path: Path, start_step: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _cut(path, start_step)
        # Written line by line: a run that is killed loses none, and steps are far slower than that.
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def step(self, record: StepRecord) -> None:
        """A line."""
        values = asdict(record)
        terms = {f"loss/{name}": value for name, value in values.pop("terms").items()}
        self._write("step", values | terms)

    def evaluation(self, record: EvaluationRecord) -> None:
        """A line with the measures and the samples."""
        values = {"measures": dict(record.measures), "samples": [asdict(sample) for sample in record.samples]}
        self._write("evaluation", {"step": record.step, "seconds": record.seconds} | values)

    def message(self, text: str) -> None:
        """A line with the time of day; it stays when steps are cut off."""
        self._write("message", {"time": datetime.now(UTC).isoformat(timespec="seconds"), "text": text})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        short = {name: float(f"{v:.7g}") if isinstance(v, float) else v for name, v in values.items()}
        self._file.write(json.dumps({"kind": kind} | short, ensure_ascii=False, default=str) + "\n")


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The entries, without a line that a kill or a full disk cut short."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            yield entry


def _cut(path: Path, last: int) -> None:
    """Leave out the steps after ``last``; a kill in between leaves the log as it was."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for entry in read_log(path):
            if last and entry.get("step", 0) <= last:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    part.replace(path)
