"""All watchers of a run as one, and one that fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from omninet.training.watch import Watcher, watchers
from omninet.training.watch.everyone import Everyone
from tests.training.watch.conftest import a_step, an_evaluation

ROOT = Path(__file__).parents[3]


class Recorder:
    """Keeps what it is told, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[Any] = []
        self.error = error

    def step(self, record: Any) -> None:
        self.told.append(record)
        if self.error:
            raise self.error

    evaluation = message = step

    def close(self) -> None:
        self.step("closed")


def tell(watcher: Watcher) -> list[Any]:
    """One of each; what was told."""
    watcher.step(a_step(1))
    watcher.evaluation(an_evaluation(1))
    watcher.message("hello")
    watcher.close()
    return [a_step(1), an_evaluation(1), "hello", "closed"]


def test_everyone_is_told() -> None:
    recorders = {"one": Recorder(), "other": Recorder()}

    told = tell(Everyone({name: lambda r=r: r for name, r in recorders.items()}))  # type: ignore[misc]

    assert [recorder.told for recorder in recorders.values()] == [told, told]


def test_one_that_fails_is_named_once_and_told_again(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Recorder(OSError(28, "No space left on device")), Recorder()

    told = tell(Everyone({"the log": lambda: failing, "other": lambda: other}))

    assert caplog.messages == [
        "the log fails and may be incomplete; training goes on: OSError(28, 'No space left on device')"
    ]
    assert failing.told == other.told == told


def test_ctrl_c_is_no_failure() -> None:
    class Interrupted(Recorder):
        def step(self, record: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Everyone({"one": Interrupted}).step(a_step(1))


def test_a_library_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in list(sys.modules):
        if name.startswith(("torch.utils.tensorboard", "omninet.training.watch.board")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    tell(watchers(tmp_path, 10))

    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("TensorBoard fails")
    assert "halted; None in sys.modules" in caplog.messages[0]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_a_run_and_its_resumption(tmp_path: Path) -> None:
    tell(watchers(tmp_path, 10))
    resumed = watchers(tmp_path, 10, 1, {"vqa": 1})
    resumed.step(a_step(2))
    resumed.close()

    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(e["kind"], e.get("step")) for e in entries] == [
        ("step", 1),
        ("evaluation", 1),
        ("message", None),
        ("step", 2),
    ]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_a_terminal_has_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown: list[str] = []
    monkeypatch.setattr(sys.stderr, "write", shown.append)

    tell(watchers(tmp_path, 10))

    assert "stale" in "".join(shown)


def test_watching_costs_nothing_to_import() -> None:
    program = "import sys, training.watch; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {"torch", "rich", "tensorboard", "yaml"} & set(result.stdout.split()) == set()
