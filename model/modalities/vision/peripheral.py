"""Vision peripheral: a convolutional backbone over frames, one time step per frame (paper, section 3.1)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.errors import ConfigError
from omninet.model.modalities.peripheral import BackbonePeripheral
from omninet.model.modalities.residual import ResidualNet
from omninet.model.modalities.vision.chain import ChainNet
from omninet.model.modalities.vision.compact import CompactNet
from omninet.model.modalities.vision.config import VisionConfig

FREQUENCIES = (0.5, 1.0, 2.0, 4.0)  # half waves across the picture
# Backbones that are part of OmniNet.
OURS: dict[str, type[nn.Module]] = {"compact": CompactNet, "chain": ChainNet, "residual": ResidualNet}
# Modules of torchvision's classification models that come after the feature map.
HEADS = {"avgpool", "dropout", "fc", "classifier", "head", "heads", "flatten"}
# Constructor arguments of models that would otherwise build auxiliary classifiers.
PLAIN = {name: {"aux_logits": False, "init_weights": False} for name in ("googlenet", "inception_v3")}


class VisionPeripheral(BackbonePeripheral):
    """Encodes frames with a backbone and a projection: (b, t, 3, size, size) -> (b, t, s, d).

    Attributes:
        frozen: True while the backbone is not trained.
    """

    def __init__(self, config: VisionConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.config = config
        # channels_last is the fastest memory format of convolutions, on CPUs and GPUs.
        backbone = build_backbone(config.backbone).requires_grad_(False).eval()
        self.backbone = backbone.to(memory_format=torch.channels_last)
        channels = _channels(self.backbone, config)
        self.standardise = Standardise(channels) if config.standardise else None
        self.dropout = ChannelDropout(config.dropout)
        self.projection = nn.Linear(channels, d_model)
        self.motion = Motion(channels, d_model, config.dropout) if config.motion else None
        self.places = CellPlaces(d_model) if config.places else None
        self.frozen = True

    @staticmethod
    def collate(rows: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Stack rows of equal t: frames (t, 3, size, size) or cached features (t, s, channels)."""
        return torch.stack([torch.as_tensor(row) for row in rows])

    def example(self) -> Tensor:
        """Return two clips of two frames, (2, 2, 3, size, size), uint8."""
        return torch.zeros(2, 2, 3, self.config.size, self.config.size, dtype=torch.uint8)

    def forward(self, batch: Tensor, moves: bool = True) -> tuple[Tensor, None]:
        """Encode frames, uint8 (b, t, 3, size, size), or cached features (b, t, s, channels), to (b, t, s, d)."""
        return self.project(self.features(batch) if batch.dim() == 5 else batch, moves), None

    def features(self, batch: Tensor) -> Tensor:
        """Compute backbone features: uint8 (b, t, 3, size, size) -> (b, t, s, channels), cells row by row."""
        b, t = batch.shape[:2]
        like = next(self.backbone.parameters())  # for inference the backbone may have another dtype than the rest
        mean, std = like.new_tensor(self.config.mean), like.new_tensor(self.config.std)
        scaled = (batch.flatten(0, 1).to(like.dtype) / 255 - mean[:, None, None]) / std[:, None, None]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self.backbone(scaled.contiguous(memory_format=torch.channels_last))
        flat: Tensor = maps.flatten(2).transpose(1, 2)
        return flat.view(b, t, *flat.shape[1:])

    def project(self, features: Tensor, moves: bool = True) -> Tensor:
        """Project backbone features and add motion features: (b, t, s, channels) -> (b, t, s, d)."""
        features = self.standardised(features)
        projected: Tensor = self.projection(self.dropout(features))
        if self.places is not None:
            projected = projected + self.places(projected)
        if self.motion is None or not moves or features.shape[1] == 1:
            return projected
        return projected + functional.pad(self.motion(features), (0, 0, 0, 0, 1, 0))

    def blank(self, encoded: Tensor) -> Tensor:
        """Return the encoding of cells with average channels; without ``standardise``, the mean of all cells."""
        if self.standardise is None:
            return super().blank(encoded)
        average: Tensor = self.projection(torch.zeros_like(self.standardise.mean, dtype=encoded.dtype))
        return average if self.places is None else average + self.places(encoded)

    def standardised(self, features: Tensor) -> Tensor:
        """Standardise features (..., channels) if the configuration asks for it."""
        return features if self.standardise is None else self.standardise(features)

    def train(self, mode: bool = True) -> VisionPeripheral:
        """Set the training mode; a frozen backbone stays in evaluation mode and keeps its batch statistics."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


class Standardise(nn.Module):
    """Normalises channels to mean 0 and standard deviation 1, so that differences between pictures dominate."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def measure(self, features: Tensor) -> None:
        """Set mean and standard deviation to those of features (..., channels)."""
        flat = features.flatten(0, -2)
        self.mean.copy_(flat.mean(0))
        std = flat.std(0)
        self.std.copy_(std.clamp(min=0.1 * float(std.mean())))  # do not amplify channels that are almost constant

    def forward(self, features: Tensor) -> Tensor:
        """Standardise features (..., channels)."""
        return (features - self.mean) / self.std


class ChannelDropout(nn.Module):
    """Dropout of whole channels (Tompson et al. 2015), equal for all steps and cells, since these are correlated."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, features: Tensor) -> Tensor:
        """Drop channels of features (b, t, s, channels) in training."""
        b, _, _, channels = features.shape
        return features * functional.dropout(features.new_ones(b, 1, 1, channels), self.share, self.training)


class CellPlaces(nn.Module):
    """Vectors of the places of cells: a projection of sines and cosines of their coordinates, for grids of any size.

    The projection starts at zero, so that a network trained without places can be trained on with them.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.projection = nn.Linear(4 * len(FREQUENCIES), d_model, bias=False)
        nn.init.zeros_(self.projection.weight)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return the vectors of the square grid of encoded cells (b, t, s, d), row by row, (s, d)."""
        side = math.isqrt(encoded.shape[2])
        centre = (torch.arange(side, device=encoded.device, dtype=torch.float32) + 0.5) / side
        angles = math.pi * centre[:, None] * torch.tensor(FREQUENCIES, device=encoded.device)
        waves = torch.cat([angles.sin(), angles.cos()], 1)  # (side, 2 * frequencies)
        rows, columns = (x.expand(side, side, -1) for x in (waves[:, None], waves[None]))
        found: Tensor = self.projection(torch.cat([rows, columns], -1).flatten(0, 1).to(encoded.dtype))
        return found


class Motion(nn.Module):
    """Motion features: the absolute change of each channel since the previous frame, at every cell.

    They have their own standardisation and projection, because changes are small compared with the features.
    """

    def __init__(self, channels: int, d_model: int, dropout: float) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.dropout = ChannelDropout(dropout)
        self.projection = nn.Linear(channels, d_model, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Compute motion features: (b, t, s, channels) -> (b, t - 1, s, d)."""
        projected: Tensor = self.projection(self.dropout(self.standardise(changes(features))))
        return projected


def changes(features: Tensor) -> Tensor:
    """Return the absolute change between frames: (b, t, s, channels) -> (b, t - 1, s, channels)."""
    return (features[:, 1:] - features[:, :-1]).abs()


def published_backbone(name: str) -> nn.Module:
    """Return a torchvision backbone with its published weights, downloaded and cached by torchvision."""
    from torchvision.models import get_model

    return without_head(get_model(name, weights="DEFAULT"))


def build_backbone(name: str) -> nn.Module:
    """Build a backbone with random weights: (n, 3, height, width) -> (n, channels, height', width').

    Raises:
        ConfigError: the name is neither an OmniNet backbone nor a torchvision classification model.
    """
    if name in OURS:
        return OURS[name]()
    if name not in classifiers():
        ours = ", ".join(map(repr, OURS))
        raise ConfigError(f"vision.backbone {name!r} is none of {ours}, nor a torchvision classification model")
    return without_head(build_classifier(name))


def classifiers() -> list[str]:
    """Return the names of torchvision's classification models."""
    import torchvision

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def build_classifier(name: str) -> nn.Module:
    """Build a model of ``classifiers()`` with random weights: (n, 3, height, width) -> (n, classes)."""
    from torchvision.models import get_model

    network: nn.Module = get_model(name, weights=None, **PLAIN.get(name, {}))
    return network


def without_head(classifier: nn.Module) -> nn.Module:
    """Remove pooling and classifier from a torchvision classification model; names of parameters stay."""
    from torchvision.models import DenseNet

    kept = [(name, child) for name, child in classifier.named_children() if name not in HEADS]
    if isinstance(classifier, DenseNet):
        kept.append(("relu", nn.ReLU()))  # DenseNet applies its last ReLU in forward(), not as a module
    return nn.Sequential(OrderedDict(kept))


def _channels(backbone: nn.Module, config: VisionConfig) -> int:
    """Return the channels of a backbone's map; torchvision's backbones are run to count them."""
    if isinstance(backbone, (CompactNet, ChainNet)):
        return backbone.out_channels
    try:
        with torch.no_grad():
            maps = backbone(torch.zeros(1, 3, config.size, config.size))
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise ConfigError(f"vision.backbone {config.backbone!r} gives no feature map: {error}") from error
    if maps.dim() != 4:
        raise ConfigError(f"vision.backbone {config.backbone!r} gives no feature map but shape {tuple(maps.shape)}")
    return int(maps.shape[1])
