"""Tests of ``omninet inspect``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from omninet.model.checkpoint import Checkpoint, save
from omninet.model.errors import CheckpointError
from omninet.model.predictor import Predictor
from tests.model.commands.test_predict import run


def test_inspect(
    toy: Checkpoint, toy_checkpoint: Path, toy_predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", toy_checkpoint, "--json") == 0
    facts = json.loads(capsys.readouterr().out)

    assert facts["name"] == "toy"
    assert facts["licence"] == ""
    assert facts["weights_sha256"] == toy_predictor.digest
    assert facts["tasks"] == {"pos": 7, "activity": 4, "caption": 120, "vqa": 6}
    assert facts["bytes"] == sum(p.stat().st_size for p in toy_checkpoint.rglob("*") if p.is_file())
    parameters = facts["parameters"]
    assert parameters["all"] == sum(p.numel() for p in toy.network.parameters())
    assert parameters["all"] == parameters["vision"] + parameters["language"] + parameters["cnp"]
    assert facts["network"]["cnp"]["d_model"] == 32

    assert run("inspect", toy_checkpoint) == 0
    shown = capsys.readouterr().out
    assert f"all {parameters['all']:,}" in shown
    assert "caption (120 classes)" in shown
    assert len(shown.splitlines()) < 24
    assert "Random weights" not in shown
    assert run("inspect", toy_checkpoint, "--card") == 0
    assert capsys.readouterr().out.rstrip().endswith("Random weights, for tests.")


def test_inspect_shows_the_first_line_of_the_licence(
    toy: Checkpoint, toy_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(replace(toy, licence="Research only\n\nMore.\n"), tmp_path / "toy")

    assert run("inspect", tmp_path / "toy") == 0
    shown = capsys.readouterr().out
    assert re.search("^licence +Research only$", shown, re.MULTILINE)
    assert "More." not in shown
    assert run("inspect", toy_checkpoint) == 0
    assert re.search("^licence +not stated$", capsys.readouterr().out, re.MULTILINE)


def test_inspect_checks_everything(toy_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        run("inspect", toy_checkpoint / "missing")
