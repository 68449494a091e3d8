"""The paper's tables on a tiny data tree."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError
from omninet.model.outputs.text import java
from omninet.training.config import RunConfig
from omninet.training.reproduce import Study
from omninet.training.reproduce.paper import ABLATIONS, ablated
from omninet.training.reproduce.parts import of_tasks
from omninet.training.runtime.schedule import quotas, rate_of
from omninet.training.table import Table
from omninet.training.train import Options, train
from tests.training.conftest import make_config


@pytest.fixture(autouse=True)
def _no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "JAVA", ("no-such-java",))


def test_a_part_of_a_run_has_its_steps_and_its_rates() -> None:
    config = make_config(steps=20_000, warmup=2000, cooldown=0.5)

    part = of_tasks(config, ["pos", "vqa"])

    wanted = quotas(config)
    assert part.steps == sum(wanted["pos"]) + sum(wanted["vqa"])
    assert list(part.tasks) == ["pos", "vqa"]
    for progress in (0.05, 0.3, 0.6, 0.9):
        whole, half = (rate_of(run, "pos", round(progress * run.steps)) for run in (config, part))
        assert half == pytest.approx(whole, rel=0.01)


def test_a_part_of_a_run_that_is_mixed_by_sizes_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs mixing: shares, not uniform"):
        of_tasks(make_config(mixing="uniform"), ["pos"])


def cells(table: Table) -> dict[str, list[str]]:
    """First cell of a row -> the others."""
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.markdown().splitlines()]
    return {row[0]: row[1:] for row in rows}


def test_both_tables(data: Path, tmp_path: Path) -> None:
    config = make_config(steps=24)
    trained: list[tuple[str, ...]] = []

    def train_part(part: RunConfig, folder: Path) -> None:
        trained.append(tuple(part.tasks))
        train(part, folder, Options(data, "random", runner="single", work=tmp_path / "work"), whole=config)

    study = Study(config, data, tmp_path, train_part, limit=2)
    first, second = cells(study.table1()), cells(study.table2())

    tasks = ("caption", "pos", "vqa", "activity")
    assert trained == [*((task,) for task in tasks), tasks[:3], tasks]
    assert first["paper, IND"] == ["95.61", "28.9", "25.2", "55.31", "55.29", "450"]
    assert first["ours, MULT-3"][4] == first["ours, MULT-3"][2] == "-"  # no activity, no Java
    assert "-" not in first["ours, IND"][:2] + first["ours, IND"][3:]
    alone, together = float(first["ours, IND"][5]), float(first["ours, MULT-4"][5])
    assert alone > 3 * together  # each has a backbone
    assert second["paper, IND, w/o spatial cache"] == ["95.61", "0", "-", "39.86", "10.91"]
    for kind in ("IND", "MULT-4"):
        whole = second[f"ours, {kind}, OmniNet"]
        assert whole == first[f"ours, {kind}"][:5]
        # Tags need neither: no ablation may change them.
        assert {second[f"ours, {kind}, {name}"][0] for name in ABLATIONS} == {whole[0]}


def test_the_gates(data: Path, tmp_path: Path) -> None:
    config = make_config(steps=8)
    gates: list[str] = []

    def train_part(part: RunConfig, folder: Path) -> None:
        gates.append(part.network["cnp"].get("gate", "that of the configuration"))
        train(part, folder, Options(data, "random", runner="single", work=tmp_path / "work"), whole=config)

    found = cells(Study(config, data, tmp_path, train_part, limit=2).gates())

    assert gates == ["paper", "official", "that of the configuration"]
    assert found[""][-2:] == ["video-caption, % of caption", "video-qa, % of vqa"]
    for gate in ("paper", "official", "normalised"):
        assert "-" not in found[gate][:2] + found[gate][3:5]


def test_every_network_is_trained_once_with_each_seed(data: Path, tmp_path: Path) -> None:
    trained: list[tuple[str, int]] = []

    def train_part(part: RunConfig, folder: Path) -> None:
        trained.append((folder.name, part.seed))
        train(part, folder, Options(data, "random", runner="single", work=tmp_path / "work"), whole=part)

    config = make_config(steps=4)
    config = config.model_copy(update={"tasks": {"pos": config.tasks["pos"]}})
    table = Study(config, data, tmp_path, train_part, limit=2, seeds=(0, 3)).table1()

    assert trained == [("pos", 0), ("pos-seed3", 3)]
    assert len(table.rows["ours, IND"]) == 2


def test_an_ablation_keeps_the_weights_and_changes_the_answer(toy: Checkpoint) -> None:
    found = ablated(toy, {"spatial_cache": False})

    assert not found.network.config.cnp.spatial_cache
    assert found.config.network == found.network.config
    ours, theirs = found.network.state_dict(), toy.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    pixels = torch.arange(3 * 64 * 64, dtype=torch.uint8).view(1, 1, 3, 64, 64)
    assert found.network.encode([("vision", "image", pixels)]).spatial.shape[1] == 0
    assert toy.network.encode([("vision", "image", pixels)]).spatial.shape[1] == 4
