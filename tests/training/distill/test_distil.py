"""``omninet distill`` from end to end, and what it refuses."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from omninet.command import main
from omninet.model.errors import ConfigError
from omninet.model.modalities.vision.peripheral import build_classifier
from omninet.model.storage.weights import load_weights
from omninet.training.commands import distill
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.fit import Fit
from omninet.training.distill.networks import Teacher, build_student
from omninet.training.distill.pack import Pack
from tests.training.conftest import put
from tests.training.distill.conftest import distill_values, make_pictures, put_pictures

CONFIGS = Path(distill.__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the command from changing process-wide settings."""
    monkeypatch.setattr(distill, "prepare", lambda threads: None)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "distill.yaml"
    path.write_text(yaml.safe_dump(distill_values(steps=3, measured=2)))
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the weights of an untrained teacher."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    torch.manual_seed(0)
    save_file(build_classifier("shufflenet_v2_x0_5").state_dict(), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight of them."""
    return put_pictures(tmp_path / "photos", list(make_pictures(8)))


def run(*arguments: object) -> int:
    """The exit code of ``omninet distill``."""
    return main(["distill", *map(str, arguments)])


def test_from_photos_to_a_backbone_in_two_calls(
    config_file: Path, weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    whole = (config_file, "--weights", weights, "--out", out)

    assert run(*whole, "--pictures", photos, "--minutes", 0) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in out.iterdir()) == ["pictures.zip", "state", "targets"]

    assert run(*whole) == 0
    assert capsys.readouterr().out == f"{out / 'backbone.safetensors'}\n"
    config = DistillConfig.load(config_file)
    student = build_student(config, [Teacher.load(config.teacher, str(weights))])
    load_weights(student.backbone, load_file(out / "backbone.safetensors"), "the file")
    found = json.loads((out / "agreement.json").read_text())
    assert found["pictures"] == 2
    assert json.loads((out / "state" / "step.json").read_text())["step"] == 3
    files = {path.name for path in out.iterdir()}
    assert files == {"pictures.zip", "state", "targets", "backbone.safetensors", "agreement.json", "curve.tsv"}
    heading, *rows = (line.split("\t") for line in (out / "curve.tsv").read_text().splitlines())
    assert heading[:3] == ["step", "views", "seconds"]
    assert [row[:2] for row in rows] == [["2", "8"], ["3", "12"]]
    assert float(rows[-1][heading.index("top1")]) == pytest.approx(found["top1"])
    assert float(rows[-1][heading.index("cosine shufflenet_v2_x0_5")]) == pytest.approx(found["cosine"][0], rel=1e-4)


def test_photos_are_packed_into_the_given_folder(
    config_file: Path, weights: Path, photos: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "packed"

    for name in ("one", "two"):
        given = ("--pictures", photos) if name == "one" else ()
        arguments = (config_file, "--weights", weights, "--packed", packed, *given, "--out", tmp_path / name)
        assert run(*arguments) == 0

    assert {path.name for path in packed.iterdir()} == {"pictures.zip", "targets"}
    one, two = (load_file(tmp_path / name / "backbone.safetensors") for name in ("one", "two"))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_photos_of_every_kind_but_those_excluded(
    config_file: Path, weights: Path, photos: Path, data: Path, tmp_path: Path
) -> None:
    put_pictures(data / "more", list(make_pictures(4, seed=1)))
    put_pictures(data / "never", [make_pictures(8)[0]])  # a copy of the first of the photos
    put(tmp_path / "classes.tsv", "folder\tpath\tclass\nphotos\t004.png\tcat\nphotos\t005.png\tcat\n")
    put(tmp_path / "names.txt", "001\n")
    folders = "{more: {folder: more}}"
    changes = ("datasets={flickr8k: flickr8k}", f"folders={folders}", "excluded=[{folder: never}]", "pictures.most=1")
    arguments = [config_file, "--weights", weights, "--out", tmp_path / "run", "--minutes", 0, "--data", data]
    arguments += ["--pictures", photos, "--classes", tmp_path / "classes.tsv", "--exclude", tmp_path / "names.txt"]
    arguments += ["--exclude", put_pictures(tmp_path / "folder", [make_pictures(8)[2]])]

    assert run(*arguments, *(f"--set={change}" for change in changes)) == 0

    entries = Pack(tmp_path / "run" / "pictures.zip").entries
    # The photos of flickr8k are of one colour, as is one of dev. Of the eight photos the first three are excluded, and
    # two are of one class, of which one is kept.
    assert Counter(entry.collection for entry in entries) == {"more": 3, "photos": 4}
    assert [entry.label for entry in entries if entry.label] == ["cat"]
    assert not {entry.name for entry in entries if entry.collection == "photos"} & {"000.png", "001.png", "002.png"}


def test_a_student_begins_with_the_weights_of_a_file(
    config_file: Path, weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (config_file, "--weights", weights, "--pictures", photos, "--set", "steps=1")
    assert run(*common, "--out", tmp_path / "first") == 0
    first = load_file(tmp_path / "first" / "backbone.safetensors")
    # A checkpoint keeps them in half precision, below the name of the peripheral.
    halves = {f"peripherals.vision.backbone.{n}": t.half() if t.is_floating_point() else t for n, t in first.items()}
    save_file(halves, tmp_path / "backbone.safetensors")

    still = ("--set", "rate=1e-12", "--out", tmp_path / "second", "--from", tmp_path / "backbone.safetensors")
    assert run(*common, *still) == 0

    second = load_file(tmp_path / "second" / "backbone.safetensors")
    for name in (name for name in first if name.endswith("conv.weight")):
        torch.testing.assert_close(second[name], first[name].half().float())
    save_file({"hat": torch.zeros(1)}, tmp_path / "hat.safetensors")
    wrong = ("--out", tmp_path / "third", "--from")
    assert "do not fit the student's backbone" in refused(capsys, *common, *wrong, tmp_path / "hat.safetensors")
    assert "cannot be read" in refused(capsys, *common, *wrong, tmp_path / "missing.safetensors")


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

    def signalled(fit: Fit, photos: Tensor) -> Tensor:
        signal.raise_signal(number)
        return advance(fit, photos)

    monkeypatch.setattr(Fit, "advance", signalled)
    out = tmp_path / "run"

    assert run(config_file, "--weights", weights, "--pictures", photos, "--out", out) == 128 + number

    assert json.loads((out / "state" / "step.json").read_text())["step"] == 1
    assert not (out / "backbone.safetensors").exists()


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the single line of the error message."""
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
    assert "--out" in refused(capsys, config_file)
    assert "device 'hat' is unknown" in refused(capsys, config_file, *out, "--device", "hat")
    override = refused(capsys, config_file, *out, "--set", "views.sise=96")
    assert "'views.sise' is unknown; similar paths are views.size" in override
    assert "steps: Input should be greater than or equal to 1" in refused(capsys, config_file, *out, "--set", "steps=0")
    assert not (tmp_path / "run").exists()


def test_teachers_that_do_not_fit_are_refused(
    config_file: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (config_file, "--out", tmp_path / "run", "--weights", weights)
    assert "'hat' is neither 'efficientnet_lite0' nor a" in refused(capsys, *common, "--set", "teacher.backbone=hat")
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
    assert "of another distillation, with batch 4 instead of 5" in refused(capsys, *common, "--set", "batch=5")
    (tmp_path / "run" / "state").rename(tmp_path / "aside")
    assert "with other teachers or views" in refused(capsys, *common, "--set", "views.crop=0.3")


def test_help_explains_how_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run("--help")

    assert left.value.code == 0
    output = capsys.readouterr().out
    assert "Ctrl-C, SIGTERM and --minutes save and stop" in output
    assert max(map(len, output.splitlines())) <= 120


def test_the_configuration_of_the_bundled_backbone() -> None:
    path = CONFIGS / "distill.yaml"

    config = DistillConfig.load(path)

    assert f"omninet distill training/configs/{path.name}" in path.read_text()
    assert (config.student.backbone, config.views.size, config.seed) == ("chain", 224, 0)


def test_any_value_is_replaced(config_file: Path, tmp_path: Path) -> None:
    changes = ["teacher.mean=[0.1, 0.2, 0.3]", "views.light=0", "datasets.coco=COCO", "pictures={frames: 7}"]

    config = DistillConfig.load(config_file, changes)

    assert (config.teacher.mean, config.teacher.std) == ((0.1, 0.2, 0.3), (0.25, 0.25, 0.25))
    assert (config.views.light, config.views.size) == (0, 64)
    assert config.datasets == {"coco": "COCO"}
    assert (config.pictures.frames, config.pictures.side) == (7, 256)
    config.save(tmp_path / "saved.yaml")
    assert DistillConfig.load(tmp_path / "saved.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("datasets.koko=COCO", r"'datasets\.koko' is unknown; similar paths are datasets\.coco"),
        ("datasets={koko: COCO}", r"datasets: Value error, unknown data set 'koko'; known are penn, "),
        ("size=96", r"similar paths are views\.size$"),
        ("teacher.std=[1, 0, 1]", r"teacher\.std\.1: Input should be greater than 0"),
        ("student.backbon=compact", r"similar paths are student\.backbone"),
        ("views.crop=0", r"views\.crop: Input should be greater than 0"),
    ],
)
def test_values_that_are_wrong_are_named(override: str, message: str, config_file: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        DistillConfig.load(config_file, [override])
