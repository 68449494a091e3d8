"""The log, and a run that is killed and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omninet.training.watch import Sample
from omninet.training.watch.log import Log, read_log
from tests.training.watch.conftest import a_schedule, a_step, an_evaluation


def lines(path: Path) -> list[dict[str, Any]]:
    """Every line; one that is no JSON fails."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def steps(path: Path) -> list[int]:
    return [entry["step"] for entry in lines(path) if entry["kind"] == "step"]


def test_a_step_is_a_line_with_its_values(tmp_path: Path) -> None:
    log = Log(tmp_path / "run" / "log.jsonl")
    log.step(a_step(7, loss=1.23456789, rate=1.23456789e-5, seconds=12.5))
    log.close()

    (entry,) = lines(tmp_path / "run" / "log.jsonl")

    assert list(entry)[:2] == ["kind", "step"]
    assert entry == {
        "kind": "step",
        "step": 7,
        "task": "vqa",
        "worker": 0,
        "loss": 1.234568,
        "accuracy": 0.5,
        "rate": 1.234568e-5,
        "gradient_norm": 3.0,
        "samples": 8,
        "seconds": 12.5,
        "waiting": 0.25,
        "staleness": 0,
        "skipped": 0,
    }


def test_a_step_has_the_load_of_experts(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.step(a_step(7, loads={"encoder 1": [0.25, 0.75]}))
    log.close()

    (entry,) = lines(tmp_path / "log.jsonl")
    assert entry["loads"] == {"encoder 1": [0.25, 0.75]}


def test_evaluations_and_messages_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.evaluation(an_evaluation(5, Sample("vqa", Path("a/b.jpg"), "what?", "rot", "grün")))
    log.message("worker 2 died: out of memory")
    log.close()

    evaluation, message = lines(path)

    assert evaluation["measures"] == {"caption/BLEU-4": 12.345678, "vqa/accuracy": 50.0}
    assert (evaluation["kind"], evaluation["step"], evaluation["seconds"]) == ("evaluation", 5, 5.0)
    sample = {"task": "vqa", "media": "a/b.jpg", "question": "what?", "truth": "rot", "prediction": "grün"}
    assert evaluation["samples"] == [sample]
    assert (message["kind"], message["text"]) == ("message", "worker 2 died: out of memory")
    assert message["time"].startswith("20")


def test_states_of_stop_and_go_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.schedule(a_schedule(5))
    log.schedule(a_schedule(8, stopped=False, score=None))
    log.close()
    Log(path, start_step=6).close()  # resumed from step 6

    (entry,) = lines(path)

    expected = {"kind": "schedule", "step": 5, "seconds": 5.0, "task": "vqa", "stopped": True}
    assert entry == expected | {"score": 41.0, "best": 42.0}


def test_a_kill_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.step(a_step(1))

    assert steps(path) == [1]  # before anything is closed
    log.close()


@pytest.mark.parametrize("torn", ["", '{"kind": "step", "st', '{"kind": "step", "step": 12'])
def test_a_resumed_run_has_no_step_twice(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "log.jsonl"
    killed = Log(path)
    for number in (1, 2, 4, 3, 6, 5):  # workers report out of order
        killed.step(a_step(number))
    killed.evaluation(an_evaluation(3))
    killed.evaluation(an_evaluation(5))
    killed.message("worker 0 died")
    killed.close()
    with path.open("a") as file:
        file.write(torn)

    resumed = Log(path, start_step=4)
    for number in (5, 6, 7):
        resumed.step(a_step(number))
    resumed.close()

    assert steps(path) == [1, 2, 4, 3, 5, 6, 7]
    assert [entry["step"] for entry in lines(path) if entry["kind"] == "evaluation"] == [3]
    assert [entry["text"] for entry in lines(path) if entry["kind"] == "message"] == ["worker 0 died"]
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_new_run_in_an_old_folder_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for text in ("old", "new"):
        log = Log(path)
        log.step(a_step(1, task=text))
        log.message(text)
        log.close()

    assert [entry.get("task", entry.get("text")) for entry in lines(path)] == ["new", "new"]


def test_reading_skips_a_truncated_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"kind": "step", "step": 1}\n{"kind": "ste{"kind": "step", "step": 3}\n{"step": 4}\n\xff')

    assert [entry["step"] for entry in read_log(path)] == [1, 4]


def test_a_nan_loss_is_logged(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.step(a_step(1, loss=float("nan"), gradient_norm=float("inf")))
    log.close()

    (entry,) = read_log(tmp_path / "log.jsonl")
    assert entry["loss"] != entry["loss"]
    assert entry["gradient_norm"] == float("inf")
