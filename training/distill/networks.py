"""Teacher and student networks: all map pixels in [0, 1] to feature maps on the same grid."""

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
from omninet.training.distill.config import BackboneSpec, DistillConfig

PUBLISHED = "published"
IN_CHECKPOINT = "peripherals.vision.backbone."  # before the names of a checkpoint's weights


class StudentOutput(NamedTuple):
    """Outputs of a student.

    Attributes:
        maps: one for each teacher, (b, s, that teacher's projected channels).
        logits: class logits, (b, classes); None if the last teacher has none.
        words: logits of the words of captions, (b, words); None if none are learned.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor | None
    words: Tensor | None = None


class Teacher(nn.Module):
    """A frozen classifier, split into its feature extractor and, if it is a single linear layer, its classifier."""

    def __init__(self, features: nn.Module, classifier: nn.Linear | None, spec: BackboneSpec) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.scale = Scale(spec)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @classmethod
    def load(cls, spec: BackboneSpec, weights: str) -> Teacher:
        """Build a network with weights from a safetensors file, or with torchvision's if ``weights`` is "published".

        Raises:
            ConfigError: the classifier is unknown, or the file cannot be read or does not fit.
        """
        if spec.backbone == lite.NAME:
            network: nn.Module = lite.EfficientNetLite0()
        elif spec.backbone in classifiers():
            network = build_classifier(spec.backbone)
        else:
            raise ConfigError(
                f"teacher.backbone {spec.backbone!r} is neither {lite.NAME!r} nor a torchvision classification model"
            )
        if weights != PUBLISHED:
            _fill(network, Path(weights), spec.backbone)
        elif spec.backbone == lite.NAME:
            raise ConfigError(f"torchvision publishes no weights of {lite.NAME}: give a safetensors file instead")
        else:
            network = get_model(spec.backbone, weights="DEFAULT")
        return cls(_folded(without_head(network)), last_layer(network), spec)

    def forward(self, views: Tensor) -> Tensor:
        """Compute the feature map: (b, 3, size, size) -> (b, s, teacher's channels)."""
        return _cells(self.features(self.scale(views)))


class Student(nn.Module):
    """The backbone to train, and the heads that only training needs: projections for the teachers, and classifiers."""

    def __init__(
        self, backbone: nn.Module, spec: BackboneSpec, channels: int, wanted: Sequence[int], classes: int = 0
    ) -> None:
        """Build the heads.

        Args:
            channels: of the backbone's feature map.
            wanted: projected channels of each teacher.
            classes: of the last teacher, 0 for no classifier.
        """
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Linear(channels, width) for width in wanted)
        self.classifier = nn.Linear(channels, classes) if classes else None
        self.words: nn.Linear | None = None
        self.channels = channels
        self.scale = Scale(spec)
        self.to(memory_format=torch.channels_last)

    def learn_words(self, number: int) -> None:
        """Add a classifier for this number of words of captions."""
        self.words = nn.Linear(self.channels, number)

    def forward(self, views: Tensor) -> StudentOutput:
        """Compute the outputs for views (b, 3, size, size) in [0, 1]."""
        cells = _cells(self.backbone(self.scale(views)))
        pooled = cells.mean(1)
        logits, words = (None if head is None else head(pooled) for head in (self.classifier, self.words))
        return StudentOutput(tuple(head(cells) for head in self.heads), logits, words)


class Scale(nn.Module):
    """Normalise pixels with a backbone's mean and standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(spec.std)[:, None, None], persistent=False)

    def forward(self, views: Tensor) -> Tensor:
        """Normalise (b, 3, size, size) in [0, 1]; the memory format is channels last."""
        return ((views - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def load_teachers(config: DistillConfig, weights: Sequence[str]) -> list[Teacher]:
    """Load every teacher, in the order of the configuration.

    Raises:
            ConfigError: the number of weights is not that of the teachers, or weights do not fit.
    """
    specs = config.teachers
    if len(weights) != len(specs):
        names = ", ".join(spec.backbone for spec in specs)
        raise ConfigError(f"{len(weights)} weights for {len(specs)} teachers ({names}): give --weights once for each")
    return [Teacher.load(spec, path) for spec, path in zip(specs, weights, strict=True)]


def build_student(config: DistillConfig, teachers: Sequence[Teacher], backbone: nn.Module | None = None) -> Student:
    """Build a student with random weights.

    Args:
        backbone: replaces the configured one.

    Raises:
        ConfigError: a network gives no feature map, or the student's grid differs from a teacher's.
    """
    backbone = backbone or build_backbone(config.student.backbone)
    ours, given = _grid(backbone, config.student, config.views.size)
    wanted = []
    for spec, teacher in zip(config.teachers, teachers, strict=True):
        theirs, channels = _grid(teacher.features, spec, config.views.size)
        if ours != theirs:
            raise ConfigError(
                f"at views.size {config.views.size} the student {config.student.backbone} gives {ours[0]} x {ours[1]} "
                f"cells, the teacher {spec.backbone} {theirs[0]} x {theirs[1]}"
            )
        wanted.append(min(channels, config.channels))
    return Student(backbone, config.student, given, wanted, classes_of(teachers))


def fill_student(student: Student, path: Path) -> None:
    """Load the backbone of a student from a file that ``omninet distill`` wrote, or from that of a checkpoint.

    Raises:
        ConfigError: the file cannot be read or does not fit.
    """
    try:
        weights = {name.removeprefix(IN_CHECKPOINT): tensor.float() for name, tensor in load_file(path).items()}
        load_weights(student.backbone, weights, str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (CheckpointError, SafetensorError) as error:
        raise ConfigError(f"the weights {path} do not fit the student's backbone: {error}") from error


def classes_of(teachers: Sequence[Teacher]) -> int:
    """Return the number of classes of the last teacher, 0 if its classifier is not a single linear layer."""
    return teachers[-1].classifier.out_features if teachers[-1].classifier else 0


def last_layer(network: nn.Module) -> nn.Linear | None:
    """Return a network's classifier if it is one linear layer after pooling, else None."""
    head = [module for name, child in network.named_children() if name in HEADS for module in child.modules()]
    trained = [module for module in head if list(module.parameters(recurse=False))]
    if len(trained) == 1 and isinstance(trained[0], nn.Linear):
        return trained[0]
    return None


def _cells(maps: Tensor) -> Tensor:
    """Flatten a map: (b, channels, height, width) -> (b, s, channels)."""
    return maps.flatten(2).transpose(1, 2)


def _grid(backbone: nn.Module, spec: BackboneSpec, size: int) -> tuple[tuple[int, int], int]:
    """Return height and width of a backbone's feature map, and its number of channels."""
    try:
        with torch.no_grad():
            maps = backbone.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"backbone {spec.backbone!r} gives no feature map at views.size {size}: {error}") from error
    if maps.dim() != 4:
        raise ConfigError(f"backbone {spec.backbone!r} gives shape {tuple(maps.shape)} instead of a feature map")
    return (maps.shape[2], maps.shape[3]), maps.shape[1]


def _folded(features: nn.Module) -> nn.Module:
    """Fold batch normalisation into the convolutions; return ``features`` unchanged if torch.fx cannot trace it."""
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
