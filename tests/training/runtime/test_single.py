"""The one-process runner."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch

from omninet.training.data import DataError
from omninet.training.runtime import run as runs
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.runtime.trainer import TrainingError
from omninet.training.setup import Setup, set_up
from tests.training.conftest import make_config, run_values


@pytest.fixture(autouse=True)
def _random_numbers() -> Iterator[None]:
    """Restore the random generators after each test."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def fresh(data: Path, work: Path, **changes: Any) -> Setup:
    """Return the setup of a run with dropout."""
    return set_up(make_config(**changes), data, "random", work)


def train(setup: Setup, folder: Path, resume: bool = False, stop: Interrupt | None = None) -> Run:
    with Run(setup, folder, "One process", resume) as run:
        done = run_single(run, stop or Interrupt())
    assert done == (run.progress.step == setup.config.steps)
    return run


class After(Interrupt):
    """Stands for Interrupt with a signal after a number of steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    @property
    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def log(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "step"]


def test_a_run_learns(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=120, warmup=20, factor=0.05)

    run = train(setup, tmp_path)

    entries = log(tmp_path)
    assert [e["step"] for e in entries] == list(range(1, 121))
    assert run.progress.step == 120
    for task in setup.config.tasks:
        losses = [e["loss"] for e in entries if e["task"] == task]
        assert len(losses) == run.progress.of(task) > 15
        assert mean(losses[-12:]) < 0.7 * mean(losses[:4])


@pytest.mark.parametrize("stop", [1, 5])
@pytest.mark.parametrize("media", ["features", "pixels"])
def test_stopped_and_resumed_is_the_same_bit_for_bit(
    data: Path, work: Path, tmp_path: Path, stop: int, media: str
) -> None:
    expected = train(fresh(data, work, steps=12, media=media), tmp_path / "whole")

    interrupted = train(fresh(data, work, steps=12, media=media), tmp_path / "parts", stop=After(stop))
    assert interrupted.progress.step == stop
    torch.manual_seed(99)  # another process has other random numbers
    resumed = train(fresh(data, work, steps=12, media=media), tmp_path / "parts", resume=True)

    assert (resumed.progress.step, resumed.progress.drawn) == (12, expected.progress.drawn)
    assert [e["step"] for e in log(tmp_path / "parts")] == list(range(1, 13))
    timeless = [[e | {"seconds": 0, "waiting": 0} for e in log(tmp_path / name)] for name in ("whole", "parts")]
    assert timeless[0] == timeless[1]
    for kind in ("values", "first", "second"):
        assert torch.equal(getattr(resumed.model, kind), getattr(expected.model, kind))
    assert torch.equal(resumed.model.updates.sum(0), expected.model.updates.sum(0))


def test_nothing_to_resume(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no state: there is no run to resume"):
        Run(setup, tmp_path, "One process", resume=True)


def test_changes_of_a_resumed_run_are_reported_or_refused(data: Path, work: Path, tmp_path: Path) -> None:
    train(fresh(data, work), tmp_path)
    stored = (tmp_path / "config.yaml").read_text()

    with pytest.raises(DataError, match=r"config\.yaml is of another run, at step 8 with seed 0 instead of 1"):
        Run(fresh(data, work, seed=1), tmp_path, "One process", resume=True)
    assert (tmp_path / "config.yaml").read_text() == stored

    train(fresh(data, work, steps=10, restarts=0), tmp_path, resume=True)
    assert "resumed with steps 10 instead of 8, restarts 0 instead of 3" in (tmp_path / "log.jsonl").read_text()
    assert len(log(tmp_path)) == 10


def test_added_data_are_refused_if_mixing_depends_on_them(data: Path, work: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    train(fresh(copy, work, mixing="proportional"), tmp_path / "run")
    treebank = copy / "ewt" / "en_ewt-ud-train.conllu"
    treebank.write_text(treebank.read_text() * 2)

    with pytest.raises(DataError, match=r"with tasks\.pos\.share 2\.25 instead of 4\.5: resume with the same"):
        Run(fresh(copy, work, mixing="proportional"), tmp_path / "run", "One process", resume=True)


def test_a_folder_with_a_run_is_refused(setup: Setup, tmp_path: Path) -> None:
    train(setup, tmp_path)

    with pytest.raises(
        DataError, match=r"already holds a run, at step 8: continue it with --resume, or choose another --out"
    ):
        Run(setup, tmp_path, "One process")


def test_an_error_saves_the_state(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=400)
    setup.network.cnp.task_projection.weight.data.fill_(float("nan"))

    with pytest.raises(
        TrainingError, match=r"\w+: the gradient was not finite for 20 consecutive steps; lower factor or clip"
    ):
        train(setup, tmp_path)

    assert [path.name for path in sorted((tmp_path / "states").iterdir())] == ["000000019.pt"]


def test_states_are_saved_periodically(data: Path, work: Path, tmp_path: Path) -> None:
    train(fresh(data, work, steps=6, checkpoints={"every_s": 1e-9, "keep": 2}), tmp_path)

    assert [path.name for path in sorted((tmp_path / "states").iterdir())] == ["000000005.pt", "000000006.pt"]


def test_the_resolved_configuration_is_stored(setup: Setup, tmp_path: Path) -> None:
    run = train(setup, tmp_path)

    assert type(run.setup.config).load(tmp_path / "config.yaml") == setup.config


def test_the_best_is_kept(data: Path, work: Path, tmp_path: Path) -> None:
    evaluation = {"every": 4, "limit": 2, "best": "activity/top-1"}

    run = train(fresh(data, work, steps=8, evaluation=evaluation), tmp_path)

    assert (tmp_path / "best" / "config.json").is_file()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    values = [line["measures"]["activity/top-1"] for line in lines if line["kind"] == "evaluation"]
    assert len(values) == 2
    assert run.progress.best == max(values)


def test_an_evaluation_that_fails_loses_no_steps(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(runs, "answer_data", fail)

    with pytest.raises(MemoryError):
        train(fresh(data, work, steps=8, evaluation={"every": 3}), tmp_path)

    assert [path.name for path in (tmp_path / "states").iterdir()] == ["000000003.pt"]


def test_further_data_sets_have_measures_of_their_own(data: Path, work: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    shutil.copytree(copy / "daquar", copy / "other")
    tasks = {"vqa": run_values()["tasks"]["vqa"] | {"more": [{"dataset": "daquar", "folder": "other"}]}}
    evaluation = {"every": 2, "limit": 2, "best": "vqa/other/accuracy"}

    run = train(fresh(copy, work, steps=2, tasks=tasks, evaluation=evaluation), tmp_path / "run")

    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    (found,) = (line for line in lines if line["kind"] == "evaluation")
    assert list(found["measures"]) == ["vqa/accuracy", "vqa/other/accuracy"]
    assert len(found["samples"]) == 4
    assert run.progress.best == found["measures"]["vqa/other/accuracy"]
    assert (tmp_path / "run" / "best" / "config.json").is_file()


def test_an_unknown_best_metric_is_reported_and_training_continues(data: Path, work: Path, tmp_path: Path) -> None:
    train(fresh(data, work, steps=4, evaluation={"every": 4, "limit": 1, "best": "beauty"}), tmp_path)

    assert (
        "evaluation.best 'beauty' is not measured; known measures are caption/BLEU-4"
        in (tmp_path / "log.jsonl").read_text()
    )
