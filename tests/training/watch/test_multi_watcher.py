"""Several watchers behind one interface, including a failing one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from omninet.training.watch import Watcher, watchers
from omninet.training.watch.multi_watcher import MultiWatcher
from tests.training.watch.conftest import a_schedule, a_step, an_evaluation

ROOT = Path(__file__).parents[3]


class Recorder:
    """Records all reports, or raises an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.reported: list[Any] = []
        self.error = error

    def step(self, record: Any) -> None:
        self.reported.append(record)
        if self.error:
            raise self.error

    evaluation = schedule = message = step

    def close(self) -> None:
        self.step("closed")


def report_all(watcher: Watcher) -> list[Any]:
    """Send one report of each type; return the reports."""
    watcher.step(a_step(1))
    watcher.evaluation(an_evaluation(1))
    watcher.schedule(a_schedule(1))
    watcher.message("hello")
    watcher.close()
    return [a_step(1), an_evaluation(1), a_schedule(1), "hello", "closed"]


def test_all_watchers_get_all_reports() -> None:
    recorders = {"one": Recorder(), "other": Recorder()}

    reported = report_all(MultiWatcher({name: lambda r=r: r for name, r in recorders.items()}))  # type: ignore[misc]

    assert [recorder.reported for recorder in recorders.values()] == [reported, reported]


def test_a_failing_watcher_is_logged_once_and_still_called(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Recorder(OSError(28, "No space left on device")), Recorder()

    reported = report_all(MultiWatcher({"the log": lambda: failing, "other": lambda: other}))

    assert caplog.messages == [
        "the log failed and may be incomplete; training continues: OSError(28, 'No space left on device')"
    ]
    assert failing.reported == other.reported == reported


def test_ctrl_c_is_not_suppressed() -> None:
    class Interrupted(Recorder):
        def step(self, record: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MultiWatcher({"one": Interrupted}).step(a_step(1))


def test_a_library_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in list(sys.modules):
        if name.startswith(("torch.utils.tensorboard", "omninet.training.watch.board")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    report_all(watchers(tmp_path, 10))

    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("TensorBoard failed")
    assert "halted; None in sys.modules" in caplog.messages[0]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4


def test_a_run_and_its_resumption(tmp_path: Path) -> None:
    report_all(watchers(tmp_path, 10))
    resumed = watchers(tmp_path, 10, 1, {"vqa": 1})
    resumed.step(a_step(2))
    resumed.close()

    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(e["kind"], e.get("step")) for e in entries] == [
        ("step", 1),
        ("evaluation", 1),
        ("schedule", 1),
        ("message", None),
        ("step", 2),
    ]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_a_terminal_has_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown: list[str] = []
    monkeypatch.setattr(sys.stderr, "write", shown.append)

    report_all(watchers(tmp_path, 10))

    assert "stale" in "".join(shown)


def test_watching_costs_nothing_to_import() -> None:
    program = "import sys, training.watch; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {"torch", "rich", "tensorboard", "yaml"} & set(result.stdout.split()) == set()
