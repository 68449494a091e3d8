"""A distillation of a few thousand weights, whose teacher costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.peripherals.compact import CompactNet
from model.peripherals.vision import build_backbone
from training.distill import eyes
from training.distill.config import DistillConfig
from training.distill.eyes import Student, Teacher, build_student
from training.distill.fit import Fit

CHANNELS, CLASSES = 8, 6
CPU = torch.device("cpu")


def distill_values(**changes: Any) -> dict[str, Any]:
    """A distillation's configuration as YAML has it."""
    eye = {"backbone": "compact", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    values = {
        "seed": 3,
        "teacher": eye | {"backbone": "shufflenet_v2_x0_5"},
        "student": eye,
        "pictures": {"side": 64, "quality": 90, "frames": 2, "held_back": 0.25},
        "views": {"size": 64, "crop": 0.5, "light": 0.2, "mixed": 0.5},
        "steps": 6,
        "batch": 4,
        "rate": 0.004,
    }
    return values | changes


def make_config(**changes: Any) -> DistillConfig:
    """A tiny distillation."""
    return DistillConfig.model_validate(distill_values(**changes))


def make_pictures(number: int, seed: int = 0) -> Tensor:
    """Pictures of four patches, each of a colour of its own: uint8 (number, 3, 64, 64)."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randint(0, 256, (number, 3, 2, 2), generator=generator, dtype=torch.uint8)
    return patches.repeat_interleave(32, 2).repeat_interleave(32, 3)


def make_fit(config: DistillConfig, folder: Path, teacher: Teacher) -> Fit:
    """A fresh student, or the one of the folder's state."""
    torch.manual_seed(config.seed)
    return Fit(config, teacher, build_student(config, teacher), folder, CPU)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """``compact`` is even more so."""

    def small(name: str) -> nn.Module:
        return CompactNet((8, 8, 16, 32), (1, 1, 1)) if name == "compact" else build_backbone(name)

    monkeypatch.setattr(eyes, "build_backbone", small)


@pytest.fixture
def config() -> DistillConfig:
    """A tiny distillation."""
    return make_config()


@pytest.fixture
def teacher(config: DistillConfig) -> Teacher:
    """It sees the colours of 32 x 32 pixels, 2 x 2 of them in a view."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, CHANNELS, 1), nn.ReLU())
    classifier = nn.Linear(CHANNELS, CLASSES)
    nn.init.normal_(classifier.weight, std=4.0)
    return Teacher(features, classifier, config.teacher)


@pytest.fixture
def student(config: DistillConfig, teacher: Teacher) -> Student:
    """Untrained."""
    torch.manual_seed(1)
    return build_student(config, teacher)


@pytest.fixture
def fit(config: DistillConfig, teacher: Teacher, tmp_path: Path) -> Fit:
    """At its beginning."""
    return make_fit(config, tmp_path, teacher)
