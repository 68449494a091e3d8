"""How well a student sees: numbers known beforehand, for students that are perfect, blind or untrained."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.training.distill.conftest import CHANNELS, make_config, make_pictures
from training.distill import agreement, pack
from training.distill.agreement import Agreement, measure, see
from training.distill.config import DistillConfig
from training.distill.eyes import Student, Teacher

SHOWN, HELD_BACK = make_pictures(300), make_pictures(100, seed=1)


@pytest.fixture
def perfect(config: DistillConfig, teacher: Teacher) -> Student:
    """It is its own teacher, but for pixels that are expected otherwise, which its weights undo."""
    student = Student(teacher.features, config.teacher, CHANNELS, CHANNELS)
    nn.init.eye_(student.head.weight)
    nn.init.zeros_(student.head.bias)
    return student


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """No half precision, whatever the machine."""
    monkeypatch.setattr(agreement, "multiplies_bfloat16", lambda device: False)


def test_a_perfect_student(config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path) -> None:
    found = measure(config, perfect, teacher, HELD_BACK, tmp_path, SHOWN)

    assert (found.pictures, found.probed) == (100, 300)
    assert (found.cosine, found.explained) == pytest.approx((1, 1), abs=1e-5)
    assert (found.top1, found.top5) == (1, 1)
    assert found.probe is not None
    assert found.probe > 0.85  # the classes are a linear function of the features
    assert json.loads((tmp_path / "agreement.json").read_text()) == asdict(found)


def test_a_blind_student(config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path) -> None:
    """It answers the same whatever it is shown: the mean of all that the teacher sees."""
    wanted = see(perfect, teacher, HELD_BACK, 64).wanted
    nn.init.zeros_(perfect.head.weight)
    with torch.no_grad():
        perfect.head.bias.fill_(float(wanted.mean()))

    found = measure(config, perfect, teacher, HELD_BACK, tmp_path, SHOWN)

    assert found.explained == pytest.approx(0, abs=1e-4)
    assert teacher.classifier is not None
    classes = teacher.classifier(wanted).argmax(1)
    same = teacher.classifier(torch.full((CHANNELS,), float(wanted.mean()))).argmax()
    assert found.top1 == pytest.approx(float((classes == same).float().mean()))
    assert found.probe is not None
    assert found.probe > 0.85  # it is about what the backbone sees, and that is not blind


def test_an_untrained_student(config: DistillConfig, student: Student, teacher: Teacher, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in student.train().state_dict().items()}

    found = measure(config, student, teacher, HELD_BACK, tmp_path, SHOWN)

    assert found.cosine < 0.9
    assert found.explained < 0.5
    assert found.top1 is not None
    assert found.top5 is not None
    assert found.top1 <= found.top5
    assert not student.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in student.state_dict().items())


def test_the_numbers_are_those_of_the_definitions(config: DistillConfig, student: Student, teacher: Teacher) -> None:
    """In batches, the last of them smaller, as in one."""
    sight = see(student, teacher, HELD_BACK, 64)

    with torch.no_grad():
        seen, wanted = student(HELD_BACK / 255), teacher(HELD_BACK / 255)
    cosine = (seen * wanted).sum(-1) / (seen.norm(dim=-1) * wanted.norm(dim=-1)).clamp(min=1e-8)
    assert sight.cosine == pytest.approx(float(cosine.mean()), abs=1e-5)
    assert sight.explained == pytest.approx(float(1 - (seen - wanted).square().mean() / wanted.var(correction=0)), 1e-3)
    torch.testing.assert_close(sight.seen.clone(), seen.mean(1))
    torch.testing.assert_close(sight.wanted.clone(), wanted.mean(1))
    assert sight.features.shape == (100, 512)


def test_training_pictures_are_read_where_they_are_not_given(
    config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path
) -> None:
    pack.pack([lambda: list(SHOWN[:40])], config.pictures, tmp_path / "pictures.zip")
    shown, held_back = pack.split(pack.unpack(tmp_path / "pictures.zip"), config.pictures.held_back)

    read = measure(config, perfect, teacher, held_back, tmp_path)

    assert (read.pictures, read.probed) == (10, 30)
    assert read == measure(config, perfect, teacher, held_back, tmp_path, shown)


def test_a_teacher_without_a_last_layer(
    config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher.classifier = None

    with caplog.at_level(logging.INFO):
        found = measure(config, perfect, teacher, HELD_BACK, tmp_path)

    assert found == Agreement(100, found.cosine, found.explained)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("agreement: pictures 100, cosine ")
    assert "top1" not in caplog.messages[0]


def test_fewer_classes_than_five(config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path) -> None:
    teacher.classifier = nn.Linear(CHANNELS, 2).requires_grad_(False)

    assert measure(config, perfect, teacher, HELD_BACK, tmp_path, SHOWN).top5 == 1


def test_the_probe_takes_so_many_pictures_from_all_over(
    config: DistillConfig, perfect: Student, teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Tensor] = []

    def watched(student: Student, teacher: Teacher, pictures: Tensor, size: int) -> agreement.Sight:
        shown.append(pictures)
        return see(student, teacher, pictures, size)

    monkeypatch.setattr(agreement, "PROBED", 4)
    monkeypatch.setattr(agreement, "see", watched)

    found = measure(make_config(), perfect, teacher, HELD_BACK, tmp_path, SHOWN)

    assert found.probed == 4
    assert torch.equal(shown[1], SHOWN[[0, 75, 150, 225]])
