"""A distillation of a few thousand weights, whose teachers cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from omninet.model.modalities.vision.compact import CompactNet
from omninet.model.modalities.vision.peripheral import build_backbone
from omninet.training.distill import fit as fitting
from omninet.training.distill import networks
from omninet.training.distill import targets as targeting
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.fit import Fit
from omninet.training.distill.networks import Student, Teacher, build_student
from omninet.training.distill.pack import Pack, pack
from omninet.training.distill.sources import of_folder
from omninet.training.distill.targets import Targets
from omninet.training.distill.view_loader import ViewLoader
from omninet.training.distill.words import CaptionWords
from tests.samples import image_bytes
from tests.training.conftest import put

CHANNELS, CLASSES = 8, 6
CPU = torch.device("cpu")


def distill_values(**changes: Any) -> dict[str, Any]:
    """A distillation's configuration as YAML has it."""
    backbone_values = {"backbone": "compact", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    values = {
        "seed": 3,
        "teacher": backbone_values | {"backbone": "shufflenet_v2_x0_5"},
        "student": backbone_values,
        "pictures": {"side": 64, "quality": 95, "frames": 2, "held_back": 0.25},
        "views": {"size": 64, "kinds": ["squash", "crop"], "crop": 0.5, "light": 0.2},
        "channels": 6,
        "steps": 6,
        "batch": 4,
        "rate": 0.004,
        "average": 0.5,
        "measured": 1000,
    }
    return values | changes


def make_config(**changes: Any) -> DistillConfig:
    """A tiny distillation."""
    return DistillConfig.model_validate(distill_values(**changes))


def make_pictures(number: int, seed: int = 0) -> Tensor:
    """Pictures of four patches of a colour each, with a pattern over all: uint8 (number, 3, 64, 64)."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randint(20, 236, (number, 3, 2, 2), generator=generator)
    pattern = torch.randint(-20, 21, (number, 1, 16, 16), generator=generator)
    colours = patches.repeat_interleave(32, 2).repeat_interleave(32, 3)
    return (colours + pattern.repeat_interleave(4, 2).repeat_interleave(4, 3)).to(torch.uint8)


def put_pictures(folder: Path, pictures: Sequence[Tensor]) -> Path:
    """A folder of PNG files."""
    for i, picture in enumerate(pictures):
        put(folder / f"{i:03d}.png", image_bytes(Image.fromarray(picture.permute(1, 2, 0).numpy())))
    return folder


def make_teacher(config: DistillConfig, seed: int = 0, classes: bool = True) -> Teacher:
    """Return a teacher whose feature map has 2 x 2 cells of 32 x 32 pixels."""
    torch.manual_seed(seed)
    features = nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, CHANNELS, 1), nn.ReLU())
    classifier = nn.Linear(CHANNELS, CLASSES)
    nn.init.normal_(classifier.weight, std=4.0)
    return Teacher(features, classifier if classes else None, config.teacher)


def make_targets(folder: Path, config: DistillConfig, loader: ViewLoader, teachers: Sequence[Teacher]) -> Targets:
    """Return a cache of the teachers' outputs."""
    return Targets.open(folder, config, teachers, loader(torch.arange(len(loader))), len(loader))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace ``compact`` by a tiny network, and disable half precision."""

    def small(name: str) -> nn.Module:
        return CompactNet((8, 8, 16, 32), (1, 1, 1)) if name == "compact" else build_backbone(name)

    monkeypatch.setattr(networks, "build_backbone", small)
    for module in (fitting, targeting):
        monkeypatch.setattr(module, "multiplies_bfloat16", lambda device: False)


@pytest.fixture
def config() -> DistillConfig:
    """A tiny distillation."""
    return make_config()


@pytest.fixture
def teacher(config: DistillConfig) -> Teacher:
    """Return the configuration's first teacher."""
    return make_teacher(config)


@pytest.fixture
def student(config: DistillConfig, teacher: Teacher) -> Student:
    """Untrained."""
    torch.manual_seed(1)
    return build_student(config, [teacher])


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in a file."""
    folder = tmp_path_factory.mktemp("packed")
    pack(of_folder(put_pictures(folder / "photos", list(make_pictures(12)))), make_config().pictures, folder / "p.zip")
    return folder / "p.zip"


@pytest.fixture
def loader(packed: Path, config: DistillConfig) -> ViewLoader:
    """Return the view loader of the packed pictures."""
    return ViewLoader(Pack(packed), config)


class MakeFit(Protocol):
    """Begin a distillation, or resume that of the folder."""

    def __call__(self, config: DistillConfig, folder: Path, words: CaptionWords | None = None) -> Fit: ...


@pytest.fixture
def make_fit(packed: Path, teacher: Teacher, tmp_path: Path) -> MakeFit:
    """A fresh student, or the one of the folder's state."""

    def make(config: DistillConfig, folder: Path, words: CaptionWords | None = None) -> Fit:
        torch.manual_seed(config.seed)
        loader = ViewLoader(Pack(packed), config)
        targets = make_targets(tmp_path / "targets", config, loader, [teacher])
        student = build_student(config, [teacher])
        if words is not None:
            student.learn_words(len(words.words))
        return Fit(config, student, loader, targets, folder, CPU, words)

    return make


@pytest.fixture
def fit(make_fit: MakeFit, config: DistillConfig, tmp_path: Path) -> Fit:
    """Return a distillation before its first step."""
    return make_fit(config, tmp_path / "run")
