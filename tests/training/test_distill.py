"""Fitting the compact backbone to a teacher, with a teacher and pictures made up on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from model.checkpoint import load_weights
from model.peripherals.vision import build_backbone
from tests.training.conftest import make_config
from training import distill
from training.distill import CELLS, TEACHER_CHANNELS, Teacher, Views, prepare_views, train_student
from training.pictures import training_pictures


class Patches(nn.Module):
    """A teacher that costs nothing: the mean colour of each of 7 x 7 patches, over and over."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, 224, 224) in [-1, 1] -> (n, 1280, 7, 7) in [0, 6]."""
        return (nn.functional.avg_pool2d(pixels, 32) + 1).repeat(1, 427, 1, 1)[:, :TEACHER_CHANNELS] * 3


@pytest.fixture
def teacher() -> Teacher:
    torch.manual_seed(0)
    return Teacher(Patches(), nn.Linear(TEACHER_CHANNELS, 10).requires_grad_(False))


def pictures(number: int) -> list[Callable[[], Tensor]]:
    """Grey pictures, each of another brightness."""
    return [partial(torch.full, (3, 40, 50), 20 * (i + 1), dtype=torch.uint8) for i in range(number)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes whenever somebody looks."""
    ticks = count()
    monkeypatch.setattr(distill, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(ticks)))


def test_the_first_view_is_the_whole_picture(teacher: Teacher, tmp_path: Path) -> None:
    views = prepare_views(pictures(3), teacher, tmp_path, per_picture=2)

    assert views.pixels.shape == (6, 3, 112, 112)
    assert views.features.shape == (6, CELLS, TEACHER_CHANNELS)
    for i in range(3):
        grey = 20 * (i + 1)
        assert (views.pixels[2 * i] == grey).all()
        # The teacher saw grey / 127.5 - 1 and answered three times one more, which is kept as 255 for 6.
        assert views.features[2 * i] == pytest.approx(grey, abs=1)


def test_views_go_on_where_they_were(teacher: Teacher, tmp_path: Path) -> None:
    loaders = pictures(4)
    prepare_views(loaders[:2], teacher, tmp_path / "part", per_picture=1)
    assert json.loads((tmp_path / "part" / "position.json").read_text()) == 2

    def fail() -> Tensor:
        raise AssertionError("shown again")

    views = prepare_views([fail, fail], teacher, tmp_path / "part", per_picture=1)

    assert (views.pixels[1] == 40).all()


def train(views: Views, teacher: Teacher, folder: Path, minutes: float) -> dict[str, Tensor]:
    """The student after so many minutes in all; a minute is a step."""
    student = train_student(views, teacher.classifier, folder, minutes, batch=4)
    return {name: tensor.clone() for name, tensor in student.state_dict().items()}


@pytest.mark.usefixtures("clock")
def test_two_steps_then_two_more(teacher: Teacher, tmp_path: Path) -> None:
    views = prepare_views(pictures(6), teacher, tmp_path / "views", per_picture=1)

    first = train(views, teacher, tmp_path, minutes=2)
    second = train(views, teacher, tmp_path, minutes=4)

    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 4
    assert state["spent"] == 240
    assert not torch.equal(first["head.weight"], second["head.weight"])
    stored = load_file(tmp_path / "backbone.safetensors")
    assert all(torch.equal(tensor, second[f"backbone.{name}"]) for name, tensor in stored.items())
    backbone = build_backbone("compact")
    load_weights(backbone, stored, "the file")


@pytest.mark.usefixtures("clock")
def test_a_run_that_is_over_does_nothing(teacher: Teacher, tmp_path: Path) -> None:
    views = prepare_views(pictures(4), teacher, tmp_path / "views", per_picture=1)

    first, again = (train(views, teacher, tmp_path, minutes=1) for _ in range(2))

    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.usefixtures("clock")
def test_fewer_views_than_a_batch(teacher: Teacher, tmp_path: Path) -> None:
    views = prepare_views(pictures(2), teacher, tmp_path / "views", per_picture=1)

    train(views, teacher, tmp_path, minutes=1)

    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 1


def test_mirrored_views_have_mirrored_features(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (2, 3, 112, 112), dtype=np.uint8)
    features = generator.integers(0, 256, (2, CELLS, TEACHER_CHANNELS), dtype=np.uint8)
    monkeypatch.setattr(torch, "rand", lambda n: torch.tensor([0.1, 0.9]))

    seen, maps = distill._load(Views(pixels, features), np.array([0, 1]))

    wanted = torch.from_numpy(features).float() * (6 / 255)
    assert torch.equal(seen[0], torch.from_numpy(pixels[0]).flip(-1))
    assert torch.equal(seen[1], torch.from_numpy(pixels[1]))
    assert torch.equal(maps[0].view(7, 7, -1), wanted[0].view(7, 7, -1).flip(1))
    assert torch.equal(maps[1], wanted[1])


def test_a_perfect_student_has_no_loss(teacher: Teacher) -> None:
    torch.manual_seed(0)
    features = torch.rand(2, CELLS, TEACHER_CHANNELS) * 6

    perfect = distill.distillation_loss(features, features, teacher.classifier)
    wrong = distill.distillation_loss(features.flip(0), features, teacher.classifier)

    assert perfect.item() == pytest.approx(0, abs=1e-6)
    # Two independent uniform maps differ by twice their variance.
    assert wrong.item() > 1.9


def test_the_rate_warms_up_and_falls() -> None:
    rates = [distill._schedule(progress / 100) for progress in range(101)]

    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[50] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)


def test_mobilenet_is_the_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = mobilenet_v2().eval()
    save_file(network.state_dict(), tmp_path / "teacher.safetensors")
    pixels = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)

    seen = Teacher.load(tmp_path / "teacher.safetensors").see(pixels)

    with torch.no_grad():
        expected = network.features(pixels.float() / 127.5 - 1).flatten(2).transpose(1, 2)
    assert seen.shape == (1, CELLS, TEACHER_CHANNELS)
    torch.testing.assert_close(seen, expected, rtol=1e-3, atol=1e-4)


def test_pictures_are_those_of_training_alone(data: Path) -> None:
    loaders = training_pictures(make_config(), data)

    # Four photos of captions, the two of DAQUAR that no dev question is about, four clips of four frames.
    assert len(loaders) == 4 + 2 + 4 * 4
    found = [loader() for loader in loaders]
    assert {tuple(picture.shape) for picture in found} == {(3, 30, 40), (3, 48, 64)}
    means = [picture.float().mean((1, 2)).tolist() for picture in found[:6]]
    assert np.argmax(means[0]) == 0  # train0.jpg is red
    assert np.argmax(means[2]) == 2
    assert np.argmax(means[4]) == 2  # image2.jpg: image0 and image1 are held back
