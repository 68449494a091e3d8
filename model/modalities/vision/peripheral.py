"""Vision peripheral: a convolutional backbone over pictures, one time step a frame (paper, section 3.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.errors import ConfigError
from omninet.model.modalities.peripheral import BackbonePeripheral
from omninet.model.modalities.vision.chain import ChainNet
from omninet.model.modalities.vision.compact import CompactNet
from omninet.model.modalities.vision.config import VisionConfig

# Backbones of our own.
OURS: dict[str, type[nn.Module]] = {"compact": CompactNet, "chain": ChainNet}
# Children of torchvision's classification models that come after the feature map.
HEADS = {"avgpool", "dropout", "fc", "classifier", "head", "heads", "flatten"}
# Models whose constructor wants to be told that there is no training with auxiliary outputs.
PLAIN = {name: {"aux_logits": False, "init_weights": False} for name in ("googlenet", "inception_v3")}


class VisionPeripheral(BackbonePeripheral):
    """Pixels -> backbone -> projection, (b, t, 3, height, width) -> (b, t, s, d)."""

    def __init__(self, config: VisionConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.config = config
        # Convolutions are quickest with the channels last, on CPUs and GPUs alike.
        self.backbone = build_backbone(config.backbone).requires_grad_(False).to(memory_format=torch.channels_last)
        channels = _channels(self.backbone, config)
        self.standardise = Standardise(channels) if config.standardise else None
        self.dropout = ChannelDropout(config.dropout)
        self.projection = nn.Linear(channels, d_model)
        self.motion = Motion(channels, d_model, config.dropout) if config.motion else None
        self.frozen = True

    @staticmethod
    def collate(rows: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Rows (t, 3, size, size) of one length -> (b, t, 3, size, size); likewise features computed before."""
        return torch.stack([torch.as_tensor(row) for row in rows])

    def forward(self, batch: Tensor, moves: bool = True) -> tuple[Tensor, None]:
        """uint8 RGB (b, t, 3, size, size), or features of it computed before -> (b, t, s, d); nothing is padded."""
        return self.project(self.features(batch) if batch.dim() == 5 else batch, moves), None

    def features(self, batch: Tensor) -> Tensor:
        """uint8 RGB (b, t, 3, size, size) -> the backbone's maps (b, t, s, channels), s row by row."""
        b, t = batch.shape[:2]
        like = next(self.backbone.parameters())  # what answers may compute the rest in another type
        mean, std = like.new_tensor(self.config.mean), like.new_tensor(self.config.std)
        scaled = (batch.flatten(0, 1).to(like.dtype) / 255 - mean[:, None, None]) / std[:, None, None]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self.backbone(scaled.contiguous(memory_format=torch.channels_last))
        flat: Tensor = maps.flatten(2).transpose(1, 2)
        return flat.view(b, t, *flat.shape[1:])

    def project(self, features: Tensor, moves: bool = True) -> Tensor:
        """(b, t, s, channels) -> (b, t, s, d)."""
        features = self.standardised(features)
        projected: Tensor = self.projection(self.dropout(features))
        if self.motion is None or not moves or features.shape[1] == 1:
            return projected
        return projected + functional.pad(self.motion(features), (0, 0, 0, 0, 1, 0))

    def standardised(self, features: Tensor) -> Tensor:
        """(..., channels) -> the same, standardised where the configuration says so."""
        return features if self.standardise is None else self.standardise(features)

    def train(self, mode: bool = True) -> VisionPeripheral:
        """As nn.Module's, but a frozen backbone keeps its batch statistics."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


class Standardise(nn.Module):
    """Channels at mean 0 and deviation 1, so that what all pictures have in common does not drown the rest."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def measure(self, features: Tensor) -> None:
        """Take mean and deviation from features (..., channels)."""
        flat = features.flatten(0, -2)
        self.mean.copy_(flat.mean(0))
        std = flat.std(0)
        self.std.copy_(std.clamp(min=0.1 * float(std.mean())))  # a channel that is hardly ever there stays small

    def forward(self, features: Tensor) -> Tensor:
        """(..., channels) -> the same, standardised."""
        return (features - self.mean) / self.std


class ChannelDropout(nn.Module):
    """Dropout of whole channels (Tompson et al. 2015): what a clip shows in one cell, its other cells show as well."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, features: Tensor) -> Tensor:
        """(b, t, s, channels) -> the same."""
        b, _, _, channels = features.shape
        return features * functional.dropout(features.new_ones(b, 1, 1, channels), self.share, self.training)


class Motion(nn.Module):
    """How much each channel has changed since the frame before, at every cell.

    Little changes from frame to frame: without a scale of its own it would drown in what stays.
    """

    def __init__(self, channels: int, d_model: int, dropout: float) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.dropout = ChannelDropout(dropout)
        self.projection = nn.Linear(channels, d_model, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(b, t, s, channels) -> (b, t - 1, s, d)."""
        projected: Tensor = self.projection(self.dropout(self.standardise(changes(features))))
        return projected


def changes(features: Tensor) -> Tensor:
    """Size of the change of each channel from frame to frame, (b, t, s, channels) -> (b, t - 1, s, channels)."""
    return (features[:, 1:] - features[:, :-1]).abs()


def published_backbone(name: str) -> nn.Module:
    """A torchvision backbone with its published weights, which torchvision downloads once."""
    from torchvision.models import get_model

    return without_head(get_model(name, weights="DEFAULT"))


def build_backbone(name: str) -> nn.Module:
    """A backbone with random weights: (n, 3, height, width) -> (n, channels, height', width').

    Raises:
        ConfigError: a name that is neither one of ours nor a torchvision classification model.
    """
    if name in OURS:
        return OURS[name]()
    if name not in classifiers():
        ours = ", ".join(map(repr, OURS))
        raise ConfigError(f"vision.backbone {name!r} is none of {ours}, nor a torchvision classification model")
    return without_head(build_classifier(name))


def classifiers() -> list[str]:
    """Names of torchvision's classification models."""
    import torchvision

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def build_classifier(name: str) -> nn.Module:
    """One of ``classifiers()`` with random weights: (n, 3, height, width) -> (n, classes)."""
    from torchvision.models import get_model

    network: nn.Module = get_model(name, weights=None, **PLAIN.get(name, {}))
    return network


def without_head(classifier: nn.Module) -> nn.Module:
    """A torchvision classification model without pooling and classifier; its names stay."""
    from torchvision.models import DenseNet

    kept = [(name, child) for name, child in classifier.named_children() if name not in HEADS]
    if isinstance(classifier, DenseNet):
        kept.append(("relu", nn.ReLU()))  # it has this one in its forward function only
    return nn.Sequential(OrderedDict(kept))


def _channels(backbone: nn.Module, config: VisionConfig) -> int:
    backbone.eval()
    try:
        with torch.no_grad():
            maps = backbone(torch.zeros(1, 3, config.size, config.size))
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise ConfigError(f"vision.backbone {config.backbone!r} gives no feature map: {error}") from error
    if maps.dim() != 4:
        raise ConfigError(f"vision.backbone {config.backbone!r} gives no feature map but shape {tuple(maps.shape)}")
    return int(maps.shape[1])
