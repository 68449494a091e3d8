"""``omninet train``, ``evaluate`` and ``distill`` from end to end."""

from __future__ import annotations

import argparse
import logging
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import mobilenet_v2

from omninet.command import main
from omninet.model.checkpoint import load
from omninet.model.errors import ConfigError, DeviceError
from omninet.model.modalities.peripheral import backboned
from omninet.model.modalities.vision.peripheral import build_backbone
from omninet.model.outputs.text import java
from omninet.model.predictor import Predictor
from omninet.training import cli
from omninet.training import train as training
from omninet.training.backbone import KEPT
from omninet.training.commands import distill, reproduce, train
from omninet.training.config import RunConfig
from omninet.training.data import DataError
from omninet.training.distill.lite import EfficientNetLite0
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.watch.log import read_log
from tests.samples import jpeg_bytes
from tests.training.distill.conftest import make_pictures, put_pictures

RANDOM = ("--backbone", "random")


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the commands from changing process-wide settings."""
    for command in (train, distill, reproduce):
        monkeypatch.setattr(command, "prepare", lambda threads: None)
    monkeypatch.setattr(java, "JAVA", ("no-such-java",))  # METEOR takes seconds to begin


def run(*arguments: object) -> int:
    """The exit code of a command."""
    parser = argparse.ArgumentParser()
    cli.add_commands(parser.add_subparsers(required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    code: int = args.run(args)
    return code


def test_train_then_evaluate(config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"

    assert run("train", config_file, "--data", data, *RANDOM, "--out", out, "--steps", 5, "--runner", "single") == 0

    assert capsys.readouterr().out == f"{out / 'checkpoint'}\n"
    assert steps_of(out) == [1, 2, 3, 4, 5]
    checkpoint = load(out / "checkpoint")
    assert checkpoint.config.name == "tiny"
    assert "5 steps of Adam" in checkpoint.card
    trained = torch.load(out / "states" / "000000005.pt", weights_only=True)["model"]
    stored = checkpoint.network.state_dict()
    assert all(torch.equal(stored[name], part["value"].half().float()) for name, part in trained.items())
    assert Predictor.load(out / "checkpoint", device="cpu").predict("activity", image=jpeg_bytes())

    command = ("evaluate", out / "checkpoint", "--config", config_file, "--data", data)
    assert run(*command, "--card") == 0
    tables = capsys.readouterr().out
    measured = [line.split(" | ")[0].lstrip("| ") for line in tables.split("\n\n")[0].splitlines()[2:]]
    assert measured == ["caption", "pos", "vqa", "activity"]
    assert tables.strip() in load(out / "checkpoint").card
    assert load(out / "checkpoint").digest == checkpoint.digest


def test_train_resumes(config_file: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    single = ("--runner", "single")
    run("train", config_file, "--data", data, *RANDOM, "--out", out, "--steps", 2, *single)
    run("train", config_file, "--data", data, "--out", out, "--steps", 4, "--resume", *single)

    assert steps_of(out) == [1, 2, 3, 4]
    assert sorted(path.name for path in (out / "states").iterdir()) == ["000000002.pt", "000000004.pt"]


def test_train_from_another_checkpoint(
    config_file: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With fewer tasks and few steps; shared weights come from the other checkpoint."""
    common = ("--data", data, "--steps", 1, "--runner", "single")
    run("train", config_file, *common, *RANDOM, "--out", tmp_path / "first")
    first = load(tmp_path / "first" / "checkpoint")

    with caplog.at_level(logging.INFO):
        run("train", config_file, *common, "--from", tmp_path / "first" / "checkpoint", "--out", tmp_path / "second")

    assert any(message.startswith("copied: peripherals.vision (") for message in caplog.messages)
    second = load(tmp_path / "second" / "checkpoint")
    ours, theirs = second.network.state_dict(), first.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if ".backbone." in name)
    moved = max(float((ours[n] - theirs[n]).abs().max()) for n in ours if n.startswith("cnp.classifiers."))
    assert moved < 0.01
    assert second.tokenizer_file.read_bytes() == first.tokenizer_file.read_bytes()


def test_resume_and_from_are_exclusive(
    config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(config_file), "--data", str(data), "--out", str(tmp_path), "--resume", "--from", "first"]

    assert main(command) == 2
    assert "--from cannot be used with --resume: a resumed run keeps its weights" in capsys.readouterr().err


def test_subwords_left_by_an_earlier_start_are_not_used(config_file: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "subwords-of-the-start.model").write_bytes(b"of a run that died before its first state")

    run("train", config_file, "--data", data, *RANDOM, "--out", tmp_path / "run", "--steps", 1, "--runner", "single")

    assert load(tmp_path / "run" / "checkpoint").config.name == "tiny"


@pytest.mark.parametrize("command", [("train",), ("reproduce", "table1")])
def test_a_random_backbone_must_be_requested(
    command: tuple[str, ...], config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"

    code = main([*command, str(config_file), "--data", str(tmp_path), "--out", str(out)])

    assert code == 2
    said = capsys.readouterr().err
    assert "--backbone is missing: give a weights file as `omninet distill`" in said
    assert "'published' for torchvision's weights, or 'random' for an untrained backbone" in said
    assert not out.exists()


@pytest.fixture
def begun(config_file: Path, data: Path, tmp_path: Path) -> Path:
    """A run of two steps, begun with a backbone whose file is gone."""
    backbone, out = tmp_path / "backbone.safetensors", tmp_path / "run"
    write_backbone(backbone, seed=7)
    run("train", config_file, "--data", data, "--backbone", backbone, "--out", out, "--steps", 2, "--runner", "single")
    backbone.unlink()
    return out


def write_backbone(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    save_file(build_backbone("compact").state_dict(), path)


def test_a_resumed_run_uses_its_own_backbone(begun: Path, config_file: Path, data: Path) -> None:
    before = backbone_of(begun)
    resume = ("train", config_file, "--data", data, "--out", begun, "--resume", "--runner", "single")

    assert run(*resume, "--steps", 3) == 0

    torch.manual_seed(7)
    expected = {name: tensor.half().float() for name, tensor in build_backbone("compact").state_dict().items()}
    after = backbone_of(begun)
    for found in (before, after):
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert steps_of(begun) == [1, 2, 3]
    write_backbone(begun / "same.safetensors", seed=7)
    assert run(*resume, "--steps", 4, "--backbone", begun / "same.safetensors") == 0


def backbone_of(out: Path) -> dict[str, torch.Tensor]:
    """The weights that a run's checkpoint has of its backbone."""
    weights: dict[str, torch.Tensor] = backboned(load(out / "checkpoint").network)[0].backbone.state_dict()
    return weights


@pytest.mark.parametrize("source", ["other", "random"])
def test_resuming_with_another_backbone_is_refused(
    begun: Path, config_file: Path, data: Path, tmp_path: Path, source: str
) -> None:
    write_backbone(tmp_path / "other", seed=8)
    given = tmp_path / "other" if source == "other" else source

    with pytest.raises(DataError, match=rf"--backbone differs from the run's original weights, {begun / KEPT}: leave"):
        run("train", config_file, "--data", data, "--backbone", given, "--out", begun, "--resume", "--steps", 3)


def test_resuming_without_a_kept_backbone_is_an_error(
    begun: Path, config_file: Path, data: Path, tmp_path: Path
) -> None:
    (begun / KEPT).unlink()
    resume = ("train", config_file, "--data", data, "--out", begun, "--resume", "--steps", 3, "--runner", "single")

    with pytest.raises(DataError, match="is missing, as in runs of older versions: give the original weights"):
        run(*resume)
    write_backbone(tmp_path / "again", seed=7)
    assert run(*resume, "--backbone", tmp_path / "again") == 0
    assert (begun / KEPT).is_file()


def test_resuming_a_missing_run_is_an_error(config_file: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no state: there is no run to resume"):
        run("train", config_file, "--data", data, "--out", tmp_path / "run", "--resume")


def steps_of(out: Path) -> list[int]:
    """The steps in the log of a run."""
    return [entry["step"] for entry in read_log(out / "log.jsonl") if entry["kind"] == "step"]


@pytest.mark.slow
def test_train_with_hogwild(config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    changes = ("--set", "tasks.pos.batch=2", "--jobs", 1, "--threads", 2)

    assert run("train", config_file, "--data", data, *RANDOM, "--out", out, "--steps", 8, *changes) == 0

    assert capsys.readouterr().out == f"{out / 'checkpoint'}\n"
    assert len(steps_of(out)) == 8
    assert RunConfig.load(out / "config.yaml").tasks["pos"].batch == 2
    assert "Hogwild with 4 workers on " in load(out / "checkpoint").card


def test_a_stopped_run_is_reported(
    config_file: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(started: Run, stop: Interrupt) -> bool:
        stop.signal = signal.SIGTERM
        return run_single(started, stop)

    monkeypatch.setattr(training, "run_single", stopped)
    out = tmp_path / "run"

    command = ("train", config_file, "--data", data, *RANDOM, "--out", out, "--runner", "single")
    assert run(*command) == 128 + signal.SIGTERM

    assert "stopped at step 0; continue with --resume" in (out / "log.jsonl").read_text()
    assert not (out / "checkpoint").exists()


def test_devices_of_the_tasks_are_for_hogwild(config_file: Path, data: Path, tmp_path: Path) -> None:
    arguments = ("train", config_file, "--data", data, *RANDOM, "--out", tmp_path, "--set", "tasks.pos.device=cuda:7")

    with pytest.raises(DeviceError, match="device 'cuda:7' was asked for, but this machine has"):
        run(*arguments)
    assert run(*arguments, "--steps", 2, "--runner", "single") == 0


@pytest.mark.parametrize("option", [("--jobs", 2), ("--lockstep",), ("--global-device", "cuda")])
def test_ranks_take_none_of_the_options_of_hogwild(
    config_file: Path, data: Path, tmp_path: Path, option: tuple[object, ...]
) -> None:
    command = ("train", config_file, "--data", data, "--out", tmp_path, "--runner", "distributed")

    with pytest.raises(ConfigError, match=f"{option[0]}: only for --runner hogwild; torchrun sets"):
        run(*command, *option)


def test_train_says_what_is_missing(config_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing; expected"):
        run("train", config_file, "--data", tmp_path, *RANDOM, "--out", tmp_path / "run")


@pytest.mark.slow
def test_distill_then_train(config_file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = tmp_path / "backbone" / "backbone.safetensors"
    teachers = {"mobilenet": mobilenet_v2(), "lite": EfficientNetLite0()}
    for name, teacher in teachers.items():
        save_file(teacher.state_dict(), tmp_path / f"{name}.safetensors")
    weights = [option for name in teachers for option in ("--weights", tmp_path / f"{name}.safetensors")]
    distillation = Path(distill.__file__).parents[1] / "configs" / "distill.yaml"
    changes = ("steps=1", "batch=2", "views.size=64", "folders={}", "excluded=[]", "often={}", "words=null")
    smaller = [f"--set={value}" for value in (*changes, "student.backbone=compact")]
    # The pictures of the data sets look like those of their dev splits, which are left out.
    pictures = put_pictures(tmp_path / "pictures", list(make_pictures(8)))
    arguments = ("--data", data, "--pictures", pictures, *weights, "--out", backbone.parent, *smaller)
    assert run("distill", distillation, *arguments) == 0
    assert capsys.readouterr().out == f"{backbone}\n"

    out = tmp_path / "run"
    assert run("train", config_file, "--data", data, "--out", out, "--backbone", backbone, "--steps", 1) == 0
    written, given = load_file(out / "checkpoint" / "backbone.safetensors"), load_file(backbone)
    prefix = "peripherals.vision.backbone."
    assert written.keys() == {f"{prefix}{name}" for name in given}
    assert torch.equal(written[f"{prefix}{min(given)}"], given[min(given)].to(written[f"{prefix}{min(given)}"].dtype))
    assert (out / "checkpoint" / "config.json").is_file()
