"""Training of a network with experts, convolutions and a mixer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.model.checkpoint import load
from omninet.model.network.experts import Expert
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.hogwild import run_hogwild, worker_specs
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.runtime.states import RunStates
from omninet.training.setup import set_up
from tests.samples import jpeg_bytes
from tests.training.conftest import BLOCKS, run_values


def values() -> dict[str, Any]:
    """A run in which every block is used."""
    made = run_values()
    made["network"]["cnp"] |= BLOCKS
    return made


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["single", "hogwild"])
def test_every_block_is_trained_and_answers(data: Path, work: Path, tmp_path: Path, runner: str) -> None:
    config = RunConfig.model_validate(values())
    with Run(set_up(config, data, "random", work), tmp_path, runner) as run:
        done = (
            run_single(run, Interrupt()) if runner == "single" else run_hogwild(run, worker_specs(config), Interrupt())
        )
        assert done
        checkpoint = run.finish()

    steps = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps = [step for step in steps if step["kind"] == "step"]
    assert all({"loss/importance", "loss/load"} <= step.keys() for step in steps)
    assert all(sum(shares) == pytest.approx(1, abs=1e-3) for step in steps for shares in step["loads"].values())
    assert load(checkpoint).network.config.cnp == run.setup.network.config.cnp
    assert Predictor.load(checkpoint, device="cpu").predict("activity", image=jpeg_bytes())
    _check_updates(tmp_path)


def _check_updates(folder: Path) -> None:
    """Each expert has as many updates as there were steps that used it, the gates as many as there were steps."""
    state = torch.load(RunStates(folder).all()[-1], weights_only=True)["model"]
    updates = {name: int(torch.tensor(found["updates"]).sum()) for name, found in state.items()}
    gates = {count for name, count in updates.items() if name.endswith("feed_forward.gate")}
    experts = [count for name, count in updates.items() if ".experts." in name]
    assert gates == {8}
    assert experts
    assert all(0 <= count <= 8 for count in experts)


def test_experts_have_parameters_of_their_own(data: Path, work: Path) -> None:
    network = set_up(RunConfig.model_validate(values()), data, "random", work).network

    experts = [module for module in network.modules() if isinstance(module, Expert)]

    assert len(experts) == 6
    assert len({id(parameter) for expert in experts for parameter in expert.parameters()}) == 6 * 4
