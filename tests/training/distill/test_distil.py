"""``omninet distill`` from end to end, and what it refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import omninet
from model.checkpoint import load_weights
from model.errors import ConfigError
from model.peripherals.vision import build_classifier
from tests.samples import image_bytes
from tests.training.conftest import put
from tests.training.distill.conftest import distill_values, make_pictures
from training.commands import distill
from training.distill.config import DistillConfig
from training.distill.eyes import Teacher, build_student
from training.distill.fit import Fit

CONFIGS = Path(distill.__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command does to the process, it does not do to the tests."""
    monkeypatch.setattr(distill, "prepare", lambda threads: None)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "distill.yaml"
    path.write_text(yaml.safe_dump(distill_values(steps=3)))
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an untrained teacher."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    torch.manual_seed(0)
    save_file(build_classifier("shufflenet_v2_x0_5").state_dict(), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight of them."""
    for i, picture in enumerate(make_pictures(8)):
        put(tmp_path / "photos" / f"{i}.png", image_bytes(Image.fromarray(picture.permute(1, 2, 0).numpy())))
    return tmp_path / "photos"


def run(*arguments: object) -> int:
    """The exit code of ``omninet distill``."""
    return omninet.main(["distill", *map(str, arguments)])


def test_from_photos_to_a_backbone_in_two_calls(
    config_file: Path, weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    whole = (config_file, "--weights", weights, "--out", out)

    assert run(*whole, "--pictures", photos, "--minutes", 0) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in out.iterdir()) == ["pictures.zip", "state"]

    assert run(*whole) == 0
    assert capsys.readouterr().out == f"{out / 'backbone.safetensors'}\n"
    config = DistillConfig.load(config_file)
    student = build_student(config, Teacher.load(config.teacher, str(weights)))
    load_weights(student.backbone, load_file(out / "backbone.safetensors"), "the file")
    found = json.loads((out / "agreement.json").read_text())
    assert (found["pictures"], found["probed"]) == (2, 6)
    assert json.loads((out / "state" / "step.json").read_text()) == 3
    files = {path.name for path in out.iterdir()}
    assert files == {"pictures.zip", "state", "backbone.safetensors", "agreement.json"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(
    number: signal.Signals,
    config_file: Path,
    weights: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    advance = Fit.advance

    def signalled(fit: Fit, pictures: Tensor) -> Tensor:
        signal.raise_signal(number)
        return advance(fit, pictures)

    monkeypatch.setattr(Fit, "advance", signalled)
    out = tmp_path / "run"

    assert run(config_file, "--weights", weights, "--pictures", photos, "--out", out) == 128 + number

    assert json.loads((out / "state" / "step.json").read_text()) == 1
    assert not (out / "backbone.safetensors").exists()


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that says why."""
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("omninet: ")
    assert said.count("\n") == 1
    return said


def test_bad_options_are_refused(
    config_file: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", tmp_path / "run")
    assert "missing.yaml cannot be read" in refused(capsys, tmp_path / "missing.yaml", *out)
    both = ("--data", tmp_path, "--pictures", photos)
    assert "not allowed with argument --data" in refused(capsys, config_file, *out, *both)
    assert "--out" in refused(capsys, config_file)
    assert "device 'hat' is unknown" in refused(capsys, config_file, *out, "--device", "hat")
    override = refused(capsys, config_file, *out, "--set", "views.sise=96")
    assert "'views.sise' is unknown; near it are views.size" in override
    assert "steps: Input should be greater than or equal to 1" in refused(capsys, config_file, *out, "--set", "steps=0")
    assert not (tmp_path / "run").exists()


def test_teachers_that_do_not_fit_are_refused(
    config_file: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (config_file, "--out", tmp_path / "run", "--weights", weights)
    assert "'hat' is no torchvision classification" in refused(capsys, *common, "--set", "teacher.backbone=hat")
    assert "do not fit squeezenet1_1" in refused(capsys, *common, "--set", "teacher.backbone=squeezenet1_1")
    student = ("--set", "student.backbone=squeezenet1_1")
    assert "gives 3 x 3 cells, the teacher shufflenet_v2_x0_5 2 x 2" in refused(capsys, *common, *student)


def test_pictures_that_are_not_there_are_refused(
    config_file: Path, weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    common = (config_file, "--weights", weights, "--out", tmp_path / "run")
    assert "pictures.zip is missing: name the pictures with --data or --pictures" in refused(capsys, *common)
    assert "empty holds no pictures" in refused(capsys, *common, "--pictures", tmp_path / "empty")
    assert "datasets (none) hold no pictures" in refused(capsys, *common, "--data", tmp_path)
    assert run(*common, "--pictures", photos, "--minutes", 0) == 0
    assert "of another distillation, with steps 3 instead of 4" in refused(capsys, *common, "--set", "steps=4")
    (tmp_path / "run" / "state").rename(tmp_path / "aside")
    changed = refused(capsys, *common, "--set", "pictures.side=32")
    assert "pictures.zip holds pictures of 64 pixels, pictures.side is 32: remove" in changed


def test_help_says_how_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run("--help")

    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "Ctrl-C and SIGTERM save and stop" in told
    assert max(map(len, told.splitlines())) <= 120


def test_the_configuration_of_the_bundled_backbone() -> None:
    path = CONFIGS / "distill.yaml"

    config = DistillConfig.load(path)

    assert f"omninet distill training/configs/{path.name}" in path.read_text()
    assert (config.student.backbone, config.views.size, config.seed) == ("compact", 224, 0)


def test_any_value_is_replaced(config_file: Path, tmp_path: Path) -> None:
    changes = ["teacher.mean=[0.1, 0.2, 0.3]", "views.mixed=0", "datasets.coco=COCO", "pictures={frames: 7}"]

    config = DistillConfig.load(config_file, changes)

    assert (config.teacher.mean, config.teacher.std) == ((0.1, 0.2, 0.3), (0.25, 0.25, 0.25))
    assert (config.views.mixed, config.views.size) == (0, 64)
    assert config.datasets == {"coco": "COCO"}
    assert (config.pictures.frames, config.pictures.side) == (7, 128)
    config.save(tmp_path / "saved.yaml")
    assert DistillConfig.load(tmp_path / "saved.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("datasets.koko=COCO", r"'datasets\.koko' is unknown; near it are datasets\.coco"),
        ("datasets={koko: COCO}", r"datasets: Value error, unknown data set 'koko'; known are penn, "),
        ("size=96", r"near it are views\.size$"),
        ("teacher.std=[1, 0, 1]", r"teacher\.std\.1: Input should be greater than 0"),
        ("student.backbon=compact", r"near it are student\.backbone"),
        ("views.crop=0", r"views\.crop: Input should be greater than 0"),
    ],
)
def test_values_that_are_wrong_are_named(override: str, message: str, config_file: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        DistillConfig.load(config_file, [override])
