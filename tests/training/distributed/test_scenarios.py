"""Two ranks on the CPU: what they compute, and what they save."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.training.config import RunConfig
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.runtime.states import RunStates
from omninet.training.setup import set_up
from tests.training.distributed.conftest import messages_of, output_of, steps_of, torchrun
from tests.training.distributed.scenarios import STOP, STOPPED, break_a_picture, lone, plain, scheduled

pytestmark = pytest.mark.slow
# Adam makes steps of full size of gradients that are nothing but rounding, as those of the keys' biases.
MOMENTS = ("first", "second")


@pytest.fixture(scope="module")
def folder(data: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all scenarios, run on two ranks and by the single runner."""
    out = tmp_path_factory.mktemp("scenarios")
    break_a_picture(Path(shutil.copytree(data, out / "broken")))
    with torchrun("-m", "tests.training.distributed.scenarios", data, work, out) as process:
        said = output_of(process)
    assert process.returncode == 0, said
    single(plain(), data, work, out / "single")
    single(scheduled(), data, work, out / "scheduled single")
    single(lone(), out / "broken", work, out / "lone single")
    return out


def single(values: dict[str, Any], data: Path, work: Path, folder: Path) -> None:
    with Run(set_up(RunConfig.model_validate(values), data, "random", work), folder, "One process") as run:
        run_single(run, Interrupt())


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(RunStates(folder).all()[-1], weights_only=True)
    return state


def assert_same_steps(one: Path, other: Path, rel: float) -> None:
    for a, b in zip(steps_of(one), steps_of(other), strict=True):
        assert [a[key] for key in ("step", "task", "samples", "skipped")] == [
            b[key] for key in ("step", "task", "samples", "skipped")
        ]
        for key in ("loss", "accuracy", "gradient_norm", "rate"):
            assert a[key] == pytest.approx(b[key], rel=rel), (a, b)


def assert_same_state(one: Path, other: Path, kinds: Iterable[str], atol: float) -> None:
    a, b = state_of(one)["model"], state_of(other)["model"]
    assert list(a) == list(b)
    for name in a:
        assert a[name]["updates"] == b[name]["updates"]
        for kind in kinds:
            torch.testing.assert_close(a[name][kind], b[name][kind], rtol=0, atol=atol)


def test_two_ranks_take_the_steps_of_one_process(folder: Path) -> None:
    assert_same_steps(folder / "plain", folder / "single", rel=1e-3)
    assert_same_state(folder / "plain", folder / "single", MOMENTS, atol=1e-4)


def test_sharded_is_replicated_but_for_rounding(folder: Path) -> None:
    assert_same_steps(folder / "sharded", folder / "plain", rel=1e-3)
    assert_same_state(folder / "sharded", folder / "plain", MOMENTS, atol=1e-4)


def test_experts_are_sharded_and_replicated(folder: Path) -> None:
    """Gradients agree; later steps do not, since Adam counts a sharded expert's steps without use as well."""
    sharded, replicated = steps_of(folder / "sharded blocks"), steps_of(folder / "blocks")

    for key in ("loss", "gradient_norm"):
        assert [step[key] for step in sharded[:2]] == pytest.approx([step[key] for step in replicated[:2]], rel=1e-3)
    assert len(sharded) == len(replicated)
    assert all({"encoder 0", "decoder 0"} == step["loads"].keys() for step in replicated)


@pytest.mark.parametrize(("whole", "parts"), [("whole", "parts"), ("sharded", "sharded parts")])
def test_stopped_and_resumed_is_the_same_bit_for_bit(folder: Path, whole: str, parts: str) -> None:
    """The signal is sent to one rank only."""
    assert "continues from step 4 on 2 ranks" in messages_of(folder / parts)
    assert steps_of(folder / parts) == steps_of(folder / whole)
    assert_same_state(folder / parts, folder / whole, ("value", *MOMENTS), atol=0)
    assert len(steps_of(folder / whole)) > STOP


def test_ranks_without_readable_samples_take_part(folder: Path) -> None:
    steps = steps_of(folder / "lone")

    assert [step["samples"] for step in steps] == [1] * 10
    assert steps[-1]["skipped"] > 0
    assert_same_steps(folder / "lone", folder / "lone single", rel=1e-3)


def test_all_ranks_stop_the_same_tasks(folder: Path) -> None:
    """Ranks that disagreed would wait for one another, or take steps of different tasks."""
    progress = state_of(folder / "scheduled")["progress"]
    steps = steps_of(folder / "scheduled")

    assert f"continues from step {STOPPED} on 2 ranks" in messages_of(folder / "scheduled")
    assert sum(progress["left_out"]["pos"]) + sum(progress["left_out"]["vqa"]) == 30 - len(steps) > 0
    assert progress["resets"] == 2
    assert_same_steps(folder / "scheduled", folder / "scheduled single", rel=1e-3)
    assert progress["controllers"] == state_of(folder / "scheduled single")["progress"]["controllers"]


def test_the_first_rank_measures_and_writes(folder: Path) -> None:
    assert (folder / "whole" / "best" / "config.json").is_file()
    assert (folder / "whole" / "checkpoint" / "model.safetensors").is_file()
    assert len(list((folder / "whole" / "tensorboard").iterdir())) == 1
    assert state_of(folder / "whole")["progress"]["ranks"] == 2
