"""Weights of the frozen backbones: loading them, and the copy in a run's folder."""

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
from omninet.training.runtime.states import RunStates

PUBLISHED, RANDOM = "published", "random"
KEPT = "frozen-backbone.safetensors"  # in a run's folder, since its states contain only trained parameters


def backbones_of(network: OmniNet) -> dict[str, VisionPeripheral]:
    """Return the peripherals of a network that have a frozen backbone, by name."""
    config = network.config
    found = [name for name in config.peripherals if config.modality(name).has_backbone]
    return {name: cast("VisionPeripheral", network.peripherals[name]) for name in found}


def backbone_files(network: OmniNet) -> dict[str, str]:
    """Return prefix of weight names -> file of a checkpoint, for each frozen backbone.

    Checkpoints of further trainings on the same backbone then have one file in common.
    """
    names = list(backbones_of(network))
    return {
        f"peripherals.{name}.backbone.": "backbone.safetensors" if len(names) == 1 else f"backbone-{name}.safetensors"
        for name in names
    }


def check_source(source: str | None) -> str:
    """Check that a source of backbone weights is given.

    Raises:
        ConfigError: ``source`` is None.
    """
    if source is None:
        raise ConfigError(
            "--backbone is missing: give a weights file as `omninet distill` writes it, "
            f"{PUBLISHED!r} for torchvision's weights, or {RANDOM!r} for an untrained backbone"
        )
    return source


def fill_backbone(network: OmniNet, source: str) -> None:
    """Load weights into every peripheral that has a backbone.

    Args:
        source: a safetensors file with one backbone, or with all as a run or a checkpoint keeps them; ``published`` for
            torchvision's weights, downloaded once; ``random`` leaves the random weights.
    """
    if source == RANDOM:
        return
    for name, peripheral in backbones_of(network).items():
        if source == PUBLISHED:
            weights = published_backbone(peripheral.config.backbone).state_dict()
            load_weights(peripheral.backbone, weights, "torchvision's weights")
        else:
            load_weights(peripheral.backbone, _of_peripheral(name, load_file(source)), source)


def _of_peripheral(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of one of several backbones in a file; all of them if the file has one backbone."""
    for prefix in (f"{name}/", f"peripherals.{name}.backbone."):  # in a run's folder, and in a checkpoint
        own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        if own:
            return own
    return weights


def source_of_resumed(folder: Path, needed: bool = True) -> str | None:
    """Return the file of backbone weights that a run has kept; None if its network needs none.

    Raises:
        DataError: the folder holds no run, or an old one that has not kept its backbone.
    """
    RunStates(folder).newest()
    kept = folder / KEPT
    if kept.exists():
        return str(kept)
    if needed:
        raise DataError(f"{kept} is missing, as in runs of older versions: give the original weights with --backbone")
    return None


def keep_backbone(network: OmniNet, folder: Path) -> None:
    """Write the backbone weights into a run's folder, atomically; do nothing if there are none."""
    if weights := _weights(network):
        part = (folder / KEPT).with_suffix(".part")
        save_file(weights, part)
        part.replace(folder / KEPT)


def check_kept(network: OmniNet, folder: Path) -> None:
    """Check that a resumed run uses its original backbone; runs that have not kept one pass.

    Raises:
        DataError: the backbones differ.
    """
    kept = folder / KEPT
    if not kept.exists():
        return
    ours, theirs = _weights(network), load_file(kept)
    if ours.keys() != theirs.keys() or not all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()):
        raise DataError(
            f"--backbone differs from the run's original weights, {kept}: leave out --backbone to use these, "
            "or start a new run in another --out"
        )


def _weights(network: OmniNet) -> dict[str, Tensor]:
    """Return the weights of the backbones by name, prefixed with the peripheral if there are several backbones."""
    found = backbones_of(network)
    return {
        f"{name}/{key}" if len(found) > 1 else key: tensor.cpu().contiguous()
        for name, peripheral in found.items()
        for key, tensor in peripheral.backbone.state_dict().items()
    }
