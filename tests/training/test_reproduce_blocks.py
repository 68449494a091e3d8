"""The ablation of blocks on tiny data sets, as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from omninet.command import main
from omninet.model import checkpoint as checkpoints
from omninet.training import train as training
from omninet.training.config import RunConfig
from omninet.training.reproduce.blocks import COLUMNS, SMALL
from omninet.training.reproduce.networks import speed, used
from tests.training.conftest import run_values, write_ewt
from tests.training.data.trees import write_wnut17

SHIPPED = Path(training.__file__).parent / "configs" / "reproduce_blocks.yaml"
SETS = {"pos": ("ewt", write_ewt), "entities": ("wnut17", write_wnut17)}


@pytest.mark.slow
def test_every_block_is_compared(tmp_path: Path) -> None:
    for name, write in SETS.values():
        write(tmp_path / name)
    tasks = {task: {"dataset": name, "folder": name, "batch": 4, "share": 1} for task, (name, _) in SETS.items()}
    run = tmp_path / "blocks.yaml"
    run.write_text(yaml.safe_dump(run_values(tasks=tasks, steps=6), sort_keys=False))
    out = tmp_path / "out"
    command = ["reproduce", "blocks", str(run), "--data", str(tmp_path), "--out", str(out), "--runner", "single"]

    assert main([*command, "--backbone", "random", "--limit", "2", "--seeds", "3"]) == 0

    lines = [line for line in (out / "blocks.md").read_text().splitlines() if line.startswith("|")]
    rows = {line.strip("|").split("|")[0].strip(): line for line in lines[2:]}
    assert list(rows) == [
        *("none", "experts", "convolutions", "mixer", "all", "small tasks alone, none", "all, a third of the steps"),
        *(f"all but {block}, a third of the steps" for block in ("experts", "convolutions", "mixer")),
    ]
    assert "tags acc. | entities F1 | ms a step | samples a second" in lines[0]
    assert (out / "blocks.png").exists()
    cnp = {name: checkpoints.load(out / f"{name}-seed3" / "checkpoint").network.config.cnp for name in ("none", "all")}
    assert (cnp["none"].mixer, cnp["all"].mixer) == (False, True)
    assert cnp["all"].experts.number == 8
    figures = json.loads((out / "experts-seed3" / "figures.json").read_text())["figures"]
    assert figures["parameters"] > figures["used"]
    assert used(checkpoints.load(out / "none-seed3" / "checkpoint")) * 1e6 == pytest.approx(
        sum(p.numel() for p in checkpoints.load(out / "none-seed3" / "checkpoint").network.parameters())
    )


def test_the_speed_of_a_run(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    steps = [{"kind": "step", "seconds": second, "samples": samples} for second, samples in ((1, 9), (2, 8), (5, 4))]
    log.write_text("".join(json.dumps(step) + "\n" for step in [*steps, {"kind": "message", "text": "done"}]))

    assert speed(log) == {"milliseconds": 2000, "samples": 3}
    assert speed(tmp_path / "missing.jsonl") == {}


def test_the_shipped_run_has_eight_tasks() -> None:
    config = RunConfig.load(SHIPPED)

    assert config.tasks.keys() == COLUMNS.keys()
    assert set(SMALL) < config.tasks.keys()
