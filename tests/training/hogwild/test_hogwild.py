"""Hogwild with processes of its own: what it learns, what it survives, how it ends."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import multiprocessing

from omninet.training.config import RunConfig
from omninet.training.hogwild import run_hogwild, worker_specs
from omninet.training.hogwild import supervisor as supervision
from omninet.training.hogwild import validator as validators
from omninet.training.runtime import run as runs
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import quotas
from omninet.training.runtime.trainer import TrainingError
from omninet.training.setup import Setup, set_up
from omninet.training.train import Options, train
from tests.training.conftest import make_config, put, run_values

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _own_fork_server() -> None:
    """Stop the fork server of earlier tests, which has not imported what the workers need."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def fresh(data: Path, work: Path, jobs: int = 1, **changes: Any) -> Setup:
    values = run_values(**changes)
    for task in values["tasks"].values():
        task["jobs"] = jobs
    return set_up(RunConfig.model_validate(values), data, "random", work)


def hogwild(run: Run, stop: Interrupt | None = None, lockstep: bool = False) -> bool:
    return run_hogwild(run, worker_specs(run.setup.config, lockstep), stop or Interrupt())


def log(folder: Path, kind: str = "step") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def messages(folder: Path) -> str:
    return "\n".join(line["text"] for line in log(folder, "message"))


class Watch:
    """Polls a condition in a thread, and performs an action once when it holds."""

    def __init__(self, condition: Callable[[], bool], action: Callable[[], object]) -> None:
        self.condition, self.action = condition, action
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.condition():
            time.sleep(0.01)
        self.action()


def children() -> dict[str, int]:
    """Return name -> process id of the workers."""
    from multiprocessing import active_children

    return {child.name.removeprefix("omninet "): child.pid or 0 for child in active_children()}


def fork_server() -> int:
    """Return the process id of the fork server."""
    (found,) = {psutil.Process(pid).ppid() for pid in children().values()}
    return found


def kill(task: str) -> None:
    os.kill(children()[task], signal.SIGKILL)


@pytest.mark.parametrize(("jobs", "lockstep"), [(1, False), (1, True), (2, False)])
def test_four_tasks_learn_together(data: Path, work: Path, tmp_path: Path, jobs: int, lockstep: bool) -> None:
    setup = fresh(data, work, jobs, steps=240, warmup=20, factor=0.012)

    with Run(setup, tmp_path, "Hogwild") as run:
        assert hogwild(run, lockstep=lockstep)
        folder = run.finish()

    entries = log(tmp_path)
    assert run.progress.step == len(entries) == 240
    assert {e["worker"] for e in entries} == set(range(4 * jobs))
    for task in setup.config.tasks:
        losses = [e["loss"] for e in sorted(entries, key=lambda e: e["seconds"]) if e["task"] == task]
        assert len(losses) == run.progress.of(task)
        quarter = len(losses) // 4
        assert sum(losses[-quarter:]) < 0.9 * sum(losses[:quarter])
    if lockstep:
        assert widest_lead(entries) <= 2  # one is done while another may just begin
    assert (folder / "model.safetensors").is_file()
    assert "staleness of 240 updates: median" in messages(tmp_path)
    assert re.search(r"steps per second: caption \d+\.\d\d, pos \d", messages(tmp_path))


def widest_lead(entries: list[dict[str, Any]]) -> int:
    """Return the largest lead of a worker over an unfinished one, in steps."""
    quota, done, widest = Counter(e["worker"] for e in entries), Counter[int](), 0
    for entry in sorted(entries, key=lambda e: e["seconds"]):
        done[entry["worker"]] += 1
        behind = [done[worker] for worker in quota if done[worker] < quota[worker]]
        widest = max(widest, done[entry["worker"]] - min(behind, default=done[entry["worker"]]))
    return widest


def test_workers_read_pixels_and_skip_unreadable_files(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    put(copy / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg", b"hello")
    setup = fresh(copy, tmp_path / "work", steps=24, media="pixels", max_skipped=0.5)

    with Run(setup, tmp_path / "run", "Hogwild") as run:
        assert hogwild(run)

    assert run.progress.skipped["caption"] > 0
    reported = messages(tmp_path / "run")
    assert reported.count("train1.jpg is skipped:") == 1
    assert "is not a readable image" in reported
    assert len(list((tmp_path / "work" / "frames").glob("*.npy"))) == 4


def test_too_many_unreadable_samples_end_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    put(copy / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg", b"hello")
    monkeypatch.setattr(runs, "FEW", 20)
    setup = fresh(copy, tmp_path / "work", steps=10_000, media="pixels")

    said = r"\d+ of \d+ samples could not be read, more than the share 0.01"
    with Run(setup, tmp_path / "run", "Hogwild") as run, pytest.raises(TrainingError, match=said):
        hogwild(run)

    assert children() == {}


def test_a_killed_worker_is_restarted(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=400)
    with Run(setup, tmp_path, "Hogwild") as run:
        Watch(lambda: run.progress.of("pos") > 5, lambda: kill("pos"))
        assert hogwild(run)

    assert run.progress.step == 400
    assert "the worker of task pos died (killed by signal 9); restarting it, attempt 1" in messages(tmp_path)


def test_a_worker_that_keeps_dying_ends_the_run_after_a_save(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = fresh(data, work, steps=100_000, restarts=1)
    monkeypatch.setattr(supervision, "STOP_TIMEOUT_S", 20.0)
    deaths = []

    def kill_twice() -> None:
        for _ in range(2):
            while "vqa" not in children() or children()["vqa"] in deaths:
                time.sleep(0.01)
            deaths.append(children()["vqa"])
            kill("vqa")

    with Run(setup, tmp_path, "Hogwild") as run:
        Watch(lambda: run.progress.of("caption") > 3, kill_twice)
        with pytest.raises(
            TrainingError, match="worker of task vqa died 2 times, the last time of: killed by signal 9"
        ):
            hogwild(run)

    assert children() == {}
    with Run(fresh(data, work, steps=100_000), tmp_path, "Hogwild", resume=True) as resumed:
        assert resumed.progress.step == run.progress.step > 3


def test_the_error_of_a_dead_worker_is_reported(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=200, restarts=0)
    setup.network.cnp.task_projection.weight.data.fill_(float("nan"))

    cause = r"TrainingError: \w+: the gradient was not finite for 20 consecutive steps"
    with Run(setup, tmp_path, "Hogwild") as run, pytest.raises(TrainingError, match=cause):
        hogwild(run)


def test_a_signal_saves_and_stops_and_a_resumed_run_ends(data: Path, work: Path, tmp_path: Path) -> None:
    with Run(fresh(data, work, steps=300), tmp_path, "Hogwild") as run, Interrupt() as stop:
        Watch(lambda: run.progress.step > 8, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert not hogwild(run, stop)
    assert stop.signal == signal.SIGTERM
    assert children() == {}
    stopped = run.progress.step
    assert 8 < stopped < 300

    with Run(fresh(data, work, steps=300), tmp_path, "Hogwild", resume=True) as run:
        assert run.progress.step == stopped
        assert hogwild(run)
    assert run.progress.step == 300
    assert sorted(run.progress.drawn) == sorted(run.setup.config.tasks)


@pytest.fixture
def _default_sigint() -> Iterator[None]:
    """Restore the handler of SIGINT, which a shell may ignore for background jobs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_default_sigint")
def test_a_second_signal_kills_the_workers_at_once(data: Path, work: Path, tmp_path: Path) -> None:
    # An Interrupt that is not entered is one that has seen its first signal.
    with Run(fresh(data, work, steps=100_000), tmp_path, "Hogwild") as run:
        Watch(lambda: run.progress.step > 3, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            hogwild(run)

    assert children() == {}


def test_workers_are_restarted_after_their_fork_server_is_killed(data: Path, work: Path, tmp_path: Path) -> None:
    """Without it, exits are unknown; orphans must end before workers are replaced."""
    # No task may be done before all have begun.
    setup = fresh(data, work, steps=400, restarts=1, pace=0.1)
    first: dict[str, int] = {}

    def kill_it() -> None:
        first.update(children())
        os.kill(fork_server(), signal.SIGKILL)

    with Run(setup, tmp_path, "Hogwild") as run:
        Watch(lambda: all(run.progress.of(task) > 1 for task in run.progress.drawn), kill_it)
        assert hogwild(run)

    assert run.progress.step == 400
    assert "restarting it, attempt 1" in messages(tmp_path)
    assert len(first) == 4
    assert not any(psutil.pid_exists(pid) for pid in first.values())


def test_a_worker_that_dies_before_its_first_step_is_restarted(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = fresh(data, work, steps=40)
    many = [example for _ in range(2000) for example in setup.examples["pos"]]  # more than a pipe holds
    setup = replace(setup, examples={**setup.examples, "pos": many})
    started: list[str] = []
    original = supervision.Worker

    def dead_at_first(spec: Any, process: Any, **values: Any) -> Any:
        if spec.task == "pos" and "pos" not in started:
            process.kill()
            process.join()
        started.append(spec.task)
        return original(spec, process, **values)

    monkeypatch.setattr(supervision, "Worker", dead_at_first)
    with Run(setup, tmp_path, "Hogwild") as run:
        assert hogwild(run)

    assert started.count("pos") == 2
    assert "the worker of task pos died (killed by signal 9); restarting it, attempt 1" in messages(tmp_path)


def test_workers_ignore_signals_to_the_process_group(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=300, restarts=0)

    def signal_all() -> None:
        for pid in (*children().values(), fork_server()):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)

    with Run(setup, tmp_path, "Hogwild") as run:
        Watch(lambda: all(run.progress.of(task) > 1 for task in run.progress.drawn), signal_all)
        assert hogwild(run)

    assert run.progress.step == 300


def test_a_run_is_resumed_with_another_runner_and_other_workers(data: Path, work: Path, tmp_path: Path) -> None:
    options = Options(data, "random", runner="single", work=work)
    train(make_config(steps=20), tmp_path, options)

    values = run_values(steps=60)
    values["tasks"]["pos"]["jobs"] = 2
    train(RunConfig.model_validate(values), tmp_path, replace(options, runner="hogwild", resume=True))
    train(make_config(steps=70), tmp_path, replace(options, resume=True))

    assert len(log(tmp_path)) == 70
    card = (tmp_path / "checkpoint" / "MODEL_CARD.md").read_text()
    assert "One process on " in card
    assert "70 steps of Adam" in card


def test_no_worker_exceeds_the_pace(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=200, pace=0.1)

    with Run(setup, tmp_path, "Hogwild") as run:
        hogwild(run)

    done = dict.fromkeys(setup.config.tasks, 0)
    quota = {task: run.progress.of(task) for task in done}
    for entry in sorted(log(tmp_path), key=lambda e: e["seconds"]):
        done[entry["task"]] += 1
        shares = [done[task] / quota[task] for task in done]
        assert max(shares) - min(shares) < 0.1 + 3 / min(quota.values())


def test_workers_of_a_stopped_task_leave_out_steps(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = count(1)
    monkeypatch.setattr(validators, "score_of", lambda run, task: 50.0 if task == "pos" else float(next(rising)))
    setup = fresh(data, work, jobs=2, steps=600, pace=0.1, scheduler="stop_and_go")

    with Run(setup, tmp_path, "Hogwild") as run:
        run.progress.controllers["pos"].stopped = True
        assert hogwild(run)

    progress, entries = run.progress, log(tmp_path)
    assert (progress.step, progress.updates, progress.resets) == (600, len(entries), 2)
    wanted = {task: sum(parts) for task, parts in quotas(setup.config).items()}
    assert {task: progress.turns(task) for task in progress.drawn} == wanted
    assert [task for task, parts in progress.left_out.items() if sum(parts)] == ["pos"]
    # Until the controllers are reset, the task takes a quarter of its share, and no other task waits for it.
    counts = Counter(entry["task"] for entry in entries if entry["step"] <= 200)
    assert 0 < counts["pos"] < 0.5 * min(counts[task] for task in ("caption", "vqa", "activity"))


def test_tasks_that_are_all_stopped_go_again_when_the_controllers_are_reset(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = count(1)
    monkeypatch.setattr(validators, "score_of", lambda run, task: float(next(rising)))
    setup = fresh(data, work, steps=600, scheduler="stop_and_go")

    with Run(setup, tmp_path, "Hogwild") as run:
        for controller in run.progress.controllers.values():
            controller.stopped = True
        assert hogwild(run)

    assert run.progress.step == 600
    early = [entry for entry in log(tmp_path) if entry["step"] <= 200]
    assert len(early) == pytest.approx(50, abs=4)
    assert 200 < run.progress.updates < 600  # about 150 if the workers did not learn of the reset
    assert "all tasks go again" in messages(tmp_path)


def test_saved_states_are_consistent_while_workers_run(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=150, checkpoints={"every_s": 0.3, "keep": 50})

    with Run(setup, tmp_path, "Hogwild") as run:
        hogwild(run)

    states = [torch.load(path, weights_only=True) for path in run.states.all()]
    assert len(states) > 2
    for state in states:
        # A worker in the middle of an update would have counted some of its parameters, or none.
        shared = state["model"]["cnp.task_projection.weight"]["updates"]
        assert shared == sum(map(sum, state["progress"]["drawn"].values()))


def test_states_are_saved_before_evaluations(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, found = Run.evaluate, []

    def evaluate(run: Run) -> None:
        found.append((run.progress.step, [int(path.stem) for path in run.states.all()]))
        original(run)

    monkeypatch.setattr(Run, "evaluate", evaluate)
    setup = fresh(data, work, steps=200, evaluation={"every": 60, "limit": 1})

    with Run(setup, tmp_path, "Hogwild") as run:
        hogwild(run)

    assert len(found) > 1
    for number, (step, states) in enumerate(found, 1):
        assert len(states) == number
        assert step - states[-1] < 30  # workers go on while the thread of the evaluation begins


def test_workers_end_when_the_main_process_is_killed(data: Path, work: Path, tmp_path: Path) -> None:
    """After SIGKILL to the main process, no worker is left."""
    process = multiprocessing.get_context("spawn").Process(target=_forever, args=(data, work, tmp_path))
    process.start()
    log_file = tmp_path / "log.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log_file.exists() and "step" in log_file.read_text()):
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 4

    process.kill()
    process.join()

    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def _forever(data: Path, work: Path, folder: Path) -> None:
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    with Run(set_up(make_config(steps=100_000), data, "random", work), folder, "Hogwild") as run:
        hogwild(run)
