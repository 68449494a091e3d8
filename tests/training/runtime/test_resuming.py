"""Settings that a resumed run may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omninet.training.config import RunConfig
from omninet.training.data import DataError
from omninet.training.runtime.resuming import changes
from omninet.training.runtime.states import Progress
from omninet.training.runtime.stop_and_go import Controller
from tests.training.conftest import make_config, run_values

BEST = {"every": 4, "limit": 2, "best": "pos/accuracy of words"}


def tasks(**changed: Any) -> dict[str, Any]:
    """The tasks of the run, of which one is changed."""
    values: dict[str, Any] = run_values()["tasks"]
    return values | {"vqa": values["vqa"] | changed}


def network(part: str, **changed: Any) -> dict[str, Any]:
    """The network of the run with some values changed."""
    values: dict[str, Any] = run_values()["network"]
    return values | {part: values[part] | changed}


def found(
    folder: Path, before: dict[str, Any], now: dict[str, Any], step: int = 3, best: float | None = None
) -> list[str]:
    """The changes from one configuration to another."""
    make_config(**before).save(folder / "config.yaml")
    return changes(folder, make_config(**now), Progress({"pos": [step]}, best=best))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 4}, r"seed 0 instead of 4"),
        ({"factor": 0.1, "warmup": 9}, r"warmup 4 instead of 9, factor 0\.02 instead of 0\.1"),
        ({"clip": 5.0}, r"clip 1\.0 instead of 5\.0"),
        ({"precision": "bfloat16"}, "precision 'auto' instead of 'bfloat16'"),
        ({"mixing": "uniform"}, "mixing 'shares' instead of 'uniform'"),
        ({"scheduler": "stop_and_go"}, "scheduler 'fixed_shares' instead of 'stop_and_go'"),
        ({"media": "pixels"}, "media 'features' instead of 'pixels'"),
        ({"vocabulary": 70}, "vocabulary 60 instead of 70"),
        ({"loosen": 0.1}, r"loosen 0\.0 instead of 0\.1"),
        ({"network": network("cnp", dropout=0.3)}, r"network\.cnp\.dropout 0\.1 instead of 0\.3"),
        ({"network": network("cnp", gate="paper")}, r"network\.cnp\.gate 'normalised' instead of 'paper'"),
        ({"network": network("vision", size=32)}, r"network\.vision\.size 64 instead of 32"),
        ({"network": network("vision", image={"side": 80})}, r"network\.vision\.image\.side None instead of 80"),
        ({"tasks": tasks(batch=32)}, r"tasks\.vqa\.batch 4 instead of 32"),
        (
            {"tasks": tasks(cap=1e-4, accumulate=2)},
            r"tasks\.vqa\.cap None instead of 0\.0001, tasks\.vqa\.accumulate 1 in",
        ),
        ({"tasks": tasks(folder="other")}, r"tasks\.vqa\.folder 'daquar' instead of 'other'"),
        ({"tasks": tasks(limit=3)}, r"tasks\.vqa\.limit None instead of 3"),
        ({"tasks": tasks(more=[{"dataset": "caption_qa", "folder": "flickr8k"}])}, r"tasks\.vqa\.more \[\] instead of"),
        (
            {"tasks": {"pos": run_values()["tasks"]["pos"]}},
            r"tasks\.caption \{.*'flickr8k'.*\} instead of None, tasks\.vqa",
        ),
    ],
)
def test_another_run_is_refused(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    message = rf"config\.yaml is of another run, at step 3 with {named}.*: resume with the same configuration"
    with pytest.raises(DataError, match=message):
        found(tmp_path, {}, changed)


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({}, []),
        ({"restarts": 0, "pace": 0.5}, ["pace 0.5 instead of None", "restarts 0 instead of 3"]),
        (
            {"checkpoints": {"every_s": 9, "keep": 1}},
            ["checkpoints.every_s 9.0 instead of 300.0", "checkpoints.keep 1 instead of 3"],
        ),
        ({"evaluation": {"every": 7}}, ["evaluation.every 7 instead of None"]),
        (
            {"tasks": tasks(jobs=2, device="cuda:1")},
            ["tasks.vqa.jobs 2 instead of 1", "tasks.vqa.device 'cuda:1' instead of 'auto'"],
        ),
        ({"sharded": True, "max_skipped": 0.5}, ["sharded True instead of False", "max_skipped 0.5 instead of 0.01"]),
        ({"name": "new", "card": "More."}, ["name 'new' instead of 'tiny'", "card 'More.' instead of 'For tests.'"]),
        ({"network": network("cnp", dropout=0.1, gate="normalised")}, []),  # what it has by default
    ],
)
def test_changes_that_do_not_affect_training_are_reported(
    tmp_path: Path, changed: dict[str, Any], reported: list[str]
) -> None:
    assert found(tmp_path, {}, changed) == reported


def test_all_refused_changes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"with seed 0 instead of 1, text_steps 12 instead of 9: ") as caught:
        found(tmp_path, {}, {"seed": 1, "text_steps": 9, "restarts": 0}, best=1.0)
    assert "restarts" not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "now", "step"),
    [
        ({"steps": 8}, {"steps": 12}, 8),
        ({"steps": 100}, {"steps": 20}, 20),
        ({"steps": 100, "cooldown": 0.5}, {"steps": 200, "cooldown": 0.1}, 51),
        ({"steps": 100, "cooldown": 1.0}, {"steps": 200, "cooldown": 0.5}, 0),
    ],
)
def test_steps_may_change_if_no_past_learning_rate_changes(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], step: int
) -> None:
    assert found(tmp_path, before, now, step)[0] == f"steps {now['steps']} instead of {before['steps']}"


@pytest.mark.parametrize(
    ("before", "now", "step", "named"),
    [
        ({"steps": 100, "cooldown": 0.5}, {"steps": 200, "cooldown": 0.5}, 52, "steps 100 instead of 200"),
        ({"steps": 200, "cooldown": 0.5}, {"steps": 100, "cooldown": 0.5}, 52, "steps 200 instead of 100"),
        ({"steps": 100, "cooldown": 0.5}, {"steps": 100, "cooldown": 0.2}, 60, r"cooldown 0\.5 instead of 0\.2"),
        ({"steps": 100}, {"steps": 20}, 21, "steps 100 instead of 20"),
    ],
)
def test_steps_may_not_change_past_learning_rates(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], step: int, named: str
) -> None:
    with pytest.raises(DataError, match=f"is of another run, at step {step} with {named}"):
        found(tmp_path, before, now, step)


@pytest.mark.parametrize(
    "changed",
    [{"beams": 2}, {"text_steps": 9}, {"evaluation": BEST | {"limit": 3}}, {"evaluation": BEST | {"best": None}}],
)
def test_the_metric_of_the_best_checkpoint_may_not_change(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert len(found(tmp_path, {"evaluation": BEST}, {"evaluation": BEST} | changed)) == 1

    with pytest.raises(DataError, match="is of another run"):
        found(tmp_path, {"evaluation": BEST}, {"evaluation": BEST} | changed, best=0.0)


STOP_AND_GO = {"scheduler": "stop_and_go", "steps": 90}


@pytest.mark.parametrize(("step", "is_free"), [(29, True), (30, False)])
def test_steps_may_change_until_the_controllers_are_reset(tmp_path: Path, step: int, is_free: bool) -> None:
    if is_free:
        assert found(tmp_path, STOP_AND_GO, STOP_AND_GO | {"steps": 120}, step) == ["steps 120 instead of 90"]
    else:
        with pytest.raises(DataError, match="with steps 90 instead of 120"):
            found(tmp_path, STOP_AND_GO, STOP_AND_GO | {"steps": 120}, step)


@pytest.mark.parametrize(("validated", "is_free"), [(0, True), (12, False)])
def test_the_scores_of_stop_and_go_may_not_change(tmp_path: Path, validated: int, is_free: bool) -> None:
    make_config(**STOP_AND_GO).save(tmp_path / "config.yaml")
    progress = Progress({"pos": [20]}, controllers={"pos": Controller(validated=validated)})

    if is_free:
        assert changes(tmp_path, make_config(**STOP_AND_GO, beams=2), progress) == ["beams 2 instead of 1"]
    else:
        with pytest.raises(DataError, match="with beams 1 instead of 2"):
            changes(tmp_path, make_config(**STOP_AND_GO, beams=2), progress)


def test_a_run_without_a_configuration_is_not_checked(tmp_path: Path) -> None:
    assert changes(tmp_path, make_config(seed=8), Progress({})) == []


def test_a_setting_missing_in_an_old_run_has_its_default(tmp_path: Path) -> None:
    make_config().save(tmp_path / "config.yaml")
    lines = (tmp_path / "config.yaml").read_text().splitlines(keepends=True)
    (tmp_path / "config.yaml").write_text("".join(line for line in lines if not line.startswith("sharded")))
    assert not RunConfig.load(tmp_path / "config.yaml").sharded

    assert changes(tmp_path, make_config(), Progress({})) == []
