"""The vision backbone of a run: where its weights come from, and the copy of them that the run keeps."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.errors import ConfigError
from model.modalities.peripheral import backboned
from model.modalities.vision.peripheral import VisionPeripheral, published_backbone
from model.omninet import OmniNet
from model.weights import load_weights
from training.data import DataError
from training.states import States

PUBLISHED, RANDOM = "published", "random"
KEPT = "frozen-backbone.safetensors"  # in a run's folder: its states have only what is trained


def vision_of(network: OmniNet) -> VisionPeripheral:
    """Return the vision peripheral of a run's network, of which it has one."""
    (vision,) = backboned(network)
    assert isinstance(vision, VisionPeripheral)
    return vision


def check_source(source: str | None) -> str:
    """Hold that somebody has said where the weights come from.

    Raises:
        ConfigError: nobody has.
    """
    if source is None:
        raise ConfigError(
            "--backbone is missing: give it the weights of the vision backbone, a file as `omninet distill` writes it, "
            f"or {PUBLISHED!r} for torchvision's; {RANDOM!r} freezes one that has learned nothing"
        )
    return source


def fill_backbone(vision: VisionPeripheral, source: str) -> None:
    """Put weights in the place of random ones.

    Args:
        source: a safetensors file; ``published`` for torchvision's, which are downloaded once; or ``random``, which
            changes nothing.
    """
    if source == PUBLISHED:
        load_weights(vision.backbone, published_backbone(vision.config.backbone).state_dict(), "torchvision's weights")
    elif source != RANDOM:
        load_weights(vision.backbone, load_file(source), source)


def source_of_resumed(folder: Path) -> str:
    """The weights that the run in a folder began with.

    Raises:
        DataError: there is no run, or it was begun by a version that did not keep them.
    """
    States(folder).newest()
    kept = folder / KEPT
    if not kept.exists():
        raise DataError(
            f"{kept} is missing, as in older runs: name with --backbone the weights that the run began with"
        )
    return str(kept)


def keep_backbone(backbone: nn.Module, folder: Path) -> None:
    """Write the weights into a run's folder, whole or not at all."""
    part = (folder / KEPT).with_suffix(".part")
    save_file(_tensors(backbone), part)
    part.replace(folder / KEPT)


def check_kept(backbone: nn.Module, folder: Path) -> None:
    """Hold that a resumed run goes on with the backbone that it began with, where it has kept that.

    Raises:
        DataError: it is another one.
    """
    kept = folder / KEPT
    if not kept.exists():
        return
    ours, theirs = _tensors(backbone), load_file(kept)
    if ours.keys() != theirs.keys() or not all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()):
        raise DataError(
            f"--backbone is not the one that the run began with, {kept}: without --backbone the run goes on with that, "
            "another --out begins anew"
        )


def _tensors(backbone: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.cpu().contiguous() for name, tensor in backbone.state_dict().items()}
