"""The frozen backbones of a run: where their weights come from, and the copy of them that the run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from omninet.model.errors import ConfigError
from omninet.model.modalities.vision.peripheral import VisionPeripheral, published_backbone
from omninet.model.network.omninet import OmniNet
from omninet.model.storage.weights import load_weights
from omninet.training.data import DataError
from omninet.training.runtime.states import States

PUBLISHED, RANDOM = "published", "random"
KEPT = "frozen-backbone.safetensors"  # in a run's folder: its states have only what is trained


def backbones_of(network: OmniNet) -> dict[str, VisionPeripheral]:
    """Return the peripherals of a network that have a frozen backbone, by name."""
    config = network.config
    found = [name for name in config.peripherals if config.modality(name).has_backbone]
    return {name: cast("VisionPeripheral", network.peripherals[name]) for name in found}


def check_source(source: str | None) -> str:
    """Hold that it is said where the weights come from.

    Raises:
        ConfigError: it is not.
    """
    if source is None:
        raise ConfigError(
            "--backbone is missing: give it the weights of the vision backbone, a file as `omninet distill` writes it, "
            f"or {PUBLISHED!r} for torchvision's; {RANDOM!r} freezes one that has learned nothing"
        )
    return source


def fill_backbone(network: OmniNet, source: str) -> None:
    """Put weights in the place of random ones, in every peripheral that has a backbone.

    Args:
        source: a safetensors file, of one backbone or of all as a run keeps them; ``published`` for torchvision's,
            which are downloaded once; or ``random``, which changes nothing.
    """
    if source == RANDOM:
        return
    for name, peripheral in backbones_of(network).items():
        if source == PUBLISHED:
            weights = published_backbone(peripheral.config.backbone).state_dict()
            load_weights(peripheral.backbone, weights, "torchvision's weights")
        else:
            weights = load_file(source)
            own = {key.removeprefix(f"{name}/"): value for key, value in weights.items() if key.startswith(f"{name}/")}
            load_weights(peripheral.backbone, own or weights, source)


def source_of_resumed(folder: Path, needed: bool = True) -> str | None:
    """The weights that the run in a folder began with; None where it needs none.

    Raises:
        DataError: there is no run, or it was begun by a version that did not keep them.
    """
    States(folder).newest()
    kept = folder / KEPT
    if kept.exists():
        return str(kept)
    if needed:
        raise DataError(
            f"{kept} is missing, as in older runs: name with --backbone the weights that the run began with"
        )
    return None


def keep_backbone(network: OmniNet, folder: Path) -> None:
    """Write the weights into a run's folder, whole or not at all; nothing where there are none."""
    if weights := _weights(network):
        part = (folder / KEPT).with_suffix(".part")
        save_file(weights, part)
        part.replace(folder / KEPT)


def check_kept(network: OmniNet, folder: Path) -> None:
    """Hold that a resumed run goes on with the backbone that it began with, where it has kept that.

    Raises:
        DataError: it is another one.
    """
    kept = folder / KEPT
    if not kept.exists():
        return
    ours, theirs = _weights(network), load_file(kept)
    if ours.keys() != theirs.keys() or not all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()):
        raise DataError(
            f"--backbone is not the one that the run began with, {kept}: without --backbone the run goes on with that, "
            "another --out begins anew"
        )


def _weights(network: OmniNet) -> dict[str, Tensor]:
    """Weights of the backbones by name; behind that of their peripheral where there are several."""
    found = backbones_of(network)
    return {
        f"{name}/{key}" if len(found) > 1 else key: tensor.cpu().contiguous()
        for name, peripheral in found.items()
        for key, tensor in peripheral.backbone.state_dict().items()
    }
