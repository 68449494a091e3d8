"""The networks of a distillation: all take pixels in [0, 1] and give a map of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.proxy import TraceError
from torchvision.models import get_model

from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.modalities.vision.peripheral import (
    HEADS,
    build_backbone,
    build_classifier,
    classifiers,
    without_head,
)
from omninet.model.storage.weights import load_weights
from omninet.training.distill import lite
from omninet.training.distill.config import DistillConfig, Eye

PUBLISHED = "published"


class Seen(NamedTuple):
    """What a student sees of views.

    Attributes:
        maps: one for each teacher, (b, s, that teacher's projected channels).
        logits: of the classes, (b, classes), None where no teacher names any.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor | None


class Teacher(nn.Module):
    """A frozen classifier: its last feature map, and its last layer where that is all that follows."""

    def __init__(self, features: nn.Module, classifier: nn.Linear | None, eye: Eye) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.scale = Scale(eye)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @classmethod
    def load(cls, eye: Eye, weights: str) -> Teacher:
        """Build a network with weights from a safetensors file, or ``published``, which downloads torchvision's.

        Raises:
            ConfigError: there is no such classifier, or the file cannot be read or does not fit it.
        """
        if eye.backbone == lite.NAME:
            network: nn.Module = lite.EfficientNetLite0()
        elif eye.backbone in classifiers():
            network = build_classifier(eye.backbone)
        else:
            raise ConfigError(
                f"teacher.backbone {eye.backbone!r} is neither {lite.NAME!r} nor a torchvision classification model"
            )
        if weights != PUBLISHED:
            _fill(network, Path(weights), eye.backbone)
        elif eye.backbone == lite.NAME:
            raise ConfigError(f"torchvision publishes no weights of {lite.NAME}: name a file")
        else:
            network = get_model(eye.backbone, weights="DEFAULT")
        return cls(_folded(without_head(network)), last_layer(network), eye)

    def forward(self, views: Tensor) -> Tensor:
        """(b, 3, size, size) -> (b, s, teacher's channels)."""
        return _cells(self.features(self.scale(views)))


class Student(nn.Module):
    """The backbone to be trained, and what training alone needs: a projection for each teacher, and a classifier."""

    def __init__(self, backbone: nn.Module, eye: Eye, channels: int, wanted: Sequence[int], classes: int = 0) -> None:
        """Args: channels of the backbone's map; wanted, the projected channels of each teacher's."""
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Linear(channels, width) for width in wanted)
        self.classifier = nn.Linear(channels, classes) if classes else None
        self.scale = Scale(eye)
        self.to(memory_format=torch.channels_last)

    def forward(self, views: Tensor) -> Seen:
        """Look at (b, 3, size, size)."""
        cells = _cells(self.backbone(self.scale(views)))
        logits = None if self.classifier is None else self.classifier(cells.mean(1))
        return Seen(tuple(head(cells) for head in self.heads), logits)


class Scale(nn.Module):
    """Pixels as a backbone expects them."""

    mean: Tensor
    std: Tensor

    def __init__(self, eye: Eye) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(eye.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(eye.std)[:, None, None], persistent=False)

    def forward(self, views: Tensor) -> Tensor:
        """(b, 3, size, size) in [0, 1] -> scaled, channels last."""
        return ((views - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def load_teachers(config: DistillConfig, weights: Sequence[str]) -> list[Teacher]:
    """Load every teacher of a distillation from its weights, in the order of the configuration.

    Raises:
        ConfigError: there are more or fewer weights than teachers, or some do not fit.
    """
    eyes = config.teachers
    if len(weights) != len(eyes):
        names = ", ".join(eye.backbone for eye in eyes)
        raise ConfigError(f"{len(weights)} weights are named for {len(eyes)} teachers: {names}, one --weights each")
    return [Teacher.load(eye, path) for eye, path in zip(eyes, weights, strict=True)]


def build_student(config: DistillConfig, teachers: Sequence[Teacher], backbone: nn.Module | None = None) -> Student:
    """Build a student with random weights.

    Args:
        backbone: in place of the one that the configuration names.

    Raises:
        ConfigError: its map is of another shape than a teacher's, or one of them gives none.
    """
    backbone = backbone or build_backbone(config.student.backbone)
    ours, given = _grid(backbone, config.student, config.views.size)
    wanted = []
    for eye, teacher in zip(config.teachers, teachers, strict=True):
        theirs, channels = _grid(teacher.features, eye, config.views.size)
        if ours != theirs:
            raise ConfigError(
                f"at views.size {config.views.size} the student {config.student.backbone} gives {ours[0]} x {ours[1]} "
                f"cells, the teacher {eye.backbone} {theirs[0]} x {theirs[1]}"
            )
        wanted.append(min(channels, config.channels))
    return Student(backbone, config.student, given, wanted, classes_of(teachers))


def classes_of(teachers: Sequence[Teacher]) -> int:
    """Return how many classes the last teacher names, 0 where its last layer cannot be told apart."""
    return teachers[-1].classifier.out_features if teachers[-1].classifier else 0


def last_layer(network: nn.Module) -> nn.Linear | None:
    """Return the classifier of a network in which nothing but pooling comes between the feature map and it."""
    head = [module for name, child in network.named_children() if name in HEADS for module in child.modules()]
    trained = [module for module in head if list(module.parameters(recurse=False))]
    if len(trained) == 1 and isinstance(trained[0], nn.Linear):
        return trained[0]
    return None


def _cells(maps: Tensor) -> Tensor:
    """(b, channels, height, width) -> (b, s, channels)."""
    return maps.flatten(2).transpose(1, 2)


def _grid(backbone: nn.Module, eye: Eye, size: int) -> tuple[tuple[int, int], int]:
    """Height and width of the map of a view, and its channels."""
    try:
        with torch.no_grad():
            maps = backbone.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"backbone {eye.backbone!r} gives no feature map at views.size {size}: {error}") from error
    if maps.dim() != 4:
        raise ConfigError(f"backbone {eye.backbone!r} gives no feature map but shape {tuple(maps.shape)}")
    return (maps.shape[2], maps.shape[3]), maps.shape[1]


def _folded(features: nn.Module) -> nn.Module:
    """The same function with batch normalisation folded into the convolutions, or as it is where it has no graph."""
    try:
        folded: nn.Module = fuse(features.eval())
    except (TraceError, RuntimeError, AssertionError):
        return features
    return folded


def _fill(network: nn.Module, path: Path, name: str) -> None:
    try:
        weights = load_file(path)
        load_weights(network, lite.renamed(weights) if name == lite.NAME else weights, str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (CheckpointError, SafetensorError) as error:
        raise ConfigError(f"the weights {path} do not fit {name}: {error}") from error
