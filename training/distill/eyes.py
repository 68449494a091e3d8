"""The two backbones of a distillation: both take pictures in [0, 1] and give a map of the same shape."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.proxy import TraceError
from torchvision.models import get_model

from model.checkpoint import load_weights
from model.errors import CheckpointError, ConfigError
from model.peripherals.vision import HEADS, build_backbone, build_classifier, classifiers, without_head
from training.distill.config import DistillConfig, Eye

PUBLISHED = "published"


class Teacher(nn.Module):
    """A frozen torchvision classifier: its last feature map, and its last layer where that is all that follows."""

    def __init__(self, features: nn.Module, classifier: nn.Linear | None, eye: Eye) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.scale = Scale(eye)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @classmethod
    def load(cls, eye: Eye, weights: str) -> Teacher:
        """A network with weights from a safetensors file in torchvision's layout, or ``published``, which downloads.

        Raises:
            ConfigError: torchvision has no such classifier, or the file cannot be read or does not fit it.
        """
        if eye.backbone not in classifiers():
            raise ConfigError(f"teacher.backbone {eye.backbone!r} is no torchvision classification model")
        if weights == PUBLISHED:
            network = get_model(eye.backbone, weights="DEFAULT")
        else:
            network = build_classifier(eye.backbone)
            _fill(network, Path(weights), eye.backbone)
        return cls(_folded(without_head(network)), last_layer(network), eye)

    def forward(self, views: Tensor) -> Tensor:
        """(b, 3, size, size) -> (b, s, teacher's channels)."""
        return _cells(self.features(self.scale(views)))


class Student(nn.Module):
    """The backbone to be trained, and the projection to the teacher's channels that training alone needs."""

    def __init__(self, backbone: nn.Module, eye: Eye, channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(channels, teacher_channels)
        self.scale = Scale(eye)
        self.to(memory_format=torch.channels_last)

    def forward(self, views: Tensor) -> Tensor:
        """(b, 3, size, size) -> (b, s, teacher's channels)."""
        seen: Tensor = self.head(_cells(self.backbone(self.scale(views))))
        return seen


class Scale(nn.Module):
    """Pixels as a backbone expects them."""

    mean: Tensor
    std: Tensor

    def __init__(self, eye: Eye) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(eye.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(eye.std)[:, None, None], persistent=False)

    def forward(self, views: Tensor) -> Tensor:
        """(b, 3, size, size) in [0, 1] -> the same, scaled, channels last."""
        return ((views - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def build_student(config: DistillConfig, teacher: Teacher) -> Student:
    """A student with random weights.

    Raises:
        ConfigError: its map is of another shape than the teacher's, or one of the two gives none.
    """
    backbone = build_backbone(config.student.backbone)
    ours, given = _grid(backbone, config.student, config.views.size)
    theirs, wanted = _grid(teacher.features, config.teacher, config.views.size)
    if ours != theirs:
        raise ConfigError(
            f"at views.size {config.views.size} the student {config.student.backbone} gives {ours[0]} x {ours[1]} "
            f"cells, the teacher {config.teacher.backbone} {theirs[0]} x {theirs[1]}"
        )
    return Student(backbone, config.student, given, wanted)


def last_layer(network: nn.Module) -> nn.Linear | None:
    """The classifier of a network in which nothing but pooling comes between the feature map and it."""
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
        load_weights(network, load_file(path), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (CheckpointError, SafetensorError) as error:
        raise ConfigError(f"the weights {path} do not fit {name}: {error}") from error
