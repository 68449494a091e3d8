"""``omninet train``, ``evaluate`` and ``distill`` from end to end."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import mobilenet_v2

from model.checkpoint import load
from model.predictor import Predictor
from tests.samples import jpeg_bytes
from training import cli
from training.commands import distill, train
from training.data import DataError
from training.metrics.bleu import normalise


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands do to the process, they do not do to the tests."""
    for command in (train, distill):
        monkeypatch.setattr(command, "prepare", lambda threads: None)


def run(*arguments: object) -> int:
    """The exit code of a command."""
    parser = argparse.ArgumentParser()
    cli.add_commands(parser.add_subparsers(required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    code: int = args.run(args)
    return code


def test_train_then_evaluate(config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"

    assert run("train", config_file, "--data", data, "--out", out, "--steps", 5) == 0

    assert capsys.readouterr().out == f"{out / 'checkpoint'}\n"
    assert len((out / "log.jsonl").read_text().splitlines()) == 5
    checkpoint = load(out / "checkpoint")
    assert checkpoint.config.name == "tiny"
    assert "5 steps of Adam" in checkpoint.card
    trained = torch.load(out / "state.pt", weights_only=True)["network"]
    stored = checkpoint.network.state_dict()
    assert all(torch.equal(stored[name], trained[name].half().to(stored[name].dtype)) for name in stored)
    assert Predictor.load(out / "checkpoint", device="cpu").predict("activity", image=jpeg_bytes())

    command = ("evaluate", out / "checkpoint", "--config", config_file, "--data", data)
    assert run(*command, "--card") == 0
    table = capsys.readouterr().out
    measured = [line.split(" | ")[0].lstrip("| ") for line in table.splitlines()[2:-1]]
    assert measured == ["caption", "pos", "vqa", "activity"]
    assert table.strip() in load(out / "checkpoint").card
    assert load(out / "checkpoint").digest == checkpoint.digest

    assert run(*command, "--json", "--limit", 1) == 0
    measures = json.loads(capsys.readouterr().out)
    assert {m["task"]: m["count"] for m in measures} == {"caption": 1, "pos": 4, "vqa": 1, "activity": 1}
    assert measures[0]["constant_answer"] == normalise(measures[0]["constant_answer"])


def test_train_goes_on(config_file: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run("train", config_file, "--data", data, "--out", out, "--steps", 2)
    run("train", config_file, "--data", data, "--out", out, "--steps", 4, "--resume")

    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]
    assert torch.load(out / "state.pt", weights_only=True)["progress"]["step"] == 4


def test_train_says_what_is_missing(config_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing; expected"):
        run("train", config_file, "--data", tmp_path, "--out", tmp_path / "run")


@pytest.mark.slow
def test_distill_then_train(config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher, backbone = tmp_path / "teacher.safetensors", tmp_path / "backbone" / "backbone.safetensors"
    save_file(mobilenet_v2().state_dict(), teacher)
    arguments = ("--data", data, "--teacher", teacher, "--out", backbone.parent, "--minutes", 0.001, "--views", 1)
    assert run("distill", config_file, *arguments) == 0
    assert capsys.readouterr().out == f"{backbone}\n"

    out = tmp_path / "run"
    assert run("train", config_file, "--data", data, "--out", out, "--backbone", backbone, "--steps", 1) == 0
    assert (out / "checkpoint" / "config.json").is_file()
