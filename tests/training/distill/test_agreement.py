"""Agreement with the teachers, for perfect, constant and untrained students."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.training.distill import agreement
from omninet.training.distill.agreement import measure
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.networks import Student, Teacher
from omninet.training.distill.targets import Targets
from omninet.training.distill.view_loader import ViewLoader
from tests.training.distill.conftest import CHANNELS, CLASSES, make_config, make_targets, make_teacher

PHOTOS = torch.arange(12)


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable half precision on every machine."""
    monkeypatch.setattr(agreement, "multiplies_bfloat16", lambda device: False)


@pytest.fixture
def config() -> DistillConfig:
    """All of the teacher's channels are kept."""
    return make_config(channels=CHANNELS)


@pytest.fixture
def targets(config: DistillConfig, loader: ViewLoader, teacher: Teacher, tmp_path: Path) -> Targets:
    return make_targets(tmp_path / "targets", config, loader, [teacher])


@pytest.fixture
def perfect(config: DistillConfig, teacher: Teacher, targets: Targets) -> Student:
    """A student that copies the teacher's backbone, projection and classifier."""
    student = Student(teacher.features, config.teacher, CHANNELS, [CHANNELS], CLASSES)
    projection, head = targets.projections[0], student.heads[0]
    assert isinstance(head, nn.Linear)
    assert teacher.classifier is not None
    scale = projection.weight / projection.std
    head.load_state_dict({"weight": (projection.basis * scale).T, "bias": -projection.mean @ projection.basis * scale})
    assert student.classifier is not None
    student.classifier.load_state_dict(teacher.classifier.state_dict())
    return student


def test_a_perfect_student(perfect: Student, loader: ViewLoader, targets: Targets, tmp_path: Path) -> None:
    found = measure(perfect, loader, targets, PHOTOS)

    assert found.pictures == 12
    # What is kept in 8 bits is a 64th of a deviation off, at most.
    assert (*found.cosine, *found.explained) == pytest.approx((1, 1), abs=2e-3)
    assert (found.top1, found.top5) == (1, 1)
    found.write(tmp_path / "agreement.json")
    assert json.loads((tmp_path / "agreement.json").read_text()) == json.loads(json.dumps(asdict(found)))


def test_a_blind_student(perfect: Student, loader: ViewLoader, targets: Targets) -> None:
    """Its outputs do not depend on the input."""
    for layer in (perfect.heads[0], perfect.classifier):
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert perfect.classifier is not None
    nn.init.constant_(perfect.classifier.bias[2:3], 1.0)

    found = measure(perfect, loader, targets, PHOTOS)

    wanted = targets.of(PHOTOS * 2, loader(PHOTOS * 2))
    assert wanted.logits is not None
    assert found.cosine == (0.0,)
    assert found.explained[0] == pytest.approx(0, abs=0.15)  # the mean of so few pictures is not quite 0
    assert found.top1 == pytest.approx(float((wanted.logits.argmax(1) == 2).float().mean()))


def test_the_metrics_follow_their_definitions(
    student: Student, loader: ViewLoader, targets: Targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare batches, the last of them smaller, with a direct computation."""
    monkeypatch.setattr(agreement, "BATCH", 5)
    student.heads[0] = nn.Linear(512, CHANNELS)
    before = {name: tensor.clone() for name, tensor in student.train().state_dict().items()}

    found = measure(student, loader, targets, PHOTOS)

    numbers = PHOTOS * 2
    wanted = targets.of(numbers, loader(numbers))
    with torch.no_grad():
        seen = student(loader(numbers) / 255)
    cosine = functional.cosine_similarity(seen.maps[0], wanted.maps[0], dim=-1).mean()
    assert found.cosine[0] == pytest.approx(float(cosine), abs=1e-5)
    errors: list[Tensor] = [
        (s - w).square().mean((1, 2)) / w.var()
        for s, w in zip(torch.split(seen.maps[0], 5), torch.split(wanted.maps[0], 5), strict=True)
    ]
    assert found.explained[0] == pytest.approx(1 - float(torch.cat(errors).mean()), abs=1e-4)
    assert found.top1 is not None
    assert found.top5 is not None
    assert found.top1 <= found.top5
    assert not student.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in student.state_dict().items())


def test_a_teacher_without_classes(config: DistillConfig, loader: ViewLoader, tmp_path: Path) -> None:
    teacher = make_teacher(config, classes=False)
    targets = make_targets(tmp_path, config, loader, [teacher])
    student = Student(teacher.features, config.teacher, CHANNELS, [CHANNELS])

    found = measure(student, loader, targets, PHOTOS)

    assert (found.top1, found.top5) == (None, None)
