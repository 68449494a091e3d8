"""A distillation from pictures to a measured backbone."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.devices import choose_device
from training.data import DataError
from training.distill import pack
from training.distill.agreement import PICTURES, measure
from training.distill.config import DistillConfig
from training.distill.eyes import Teacher, build_student
from training.distill.fit import Fit
from training.interrupt import Interrupt, Stopped

LOG = logging.getLogger(__name__)
BACKBONE = "backbone.safetensors"


def distil(
    config: DistillConfig,
    out: Path,
    weights: str,
    device: str = "auto",
    *,
    data: Path | None = None,
    pictures: Path | None = None,
    minutes: float = math.inf,
) -> Path | None:
    """Pack the pictures where that is not done, train, and at the last step write and measure the backbone.

    Args:
        weights: of the teacher, a safetensors file or ``published``.
        data: folder of the data sets that the configuration names.
        pictures: folder of pictures to take instead; neither is needed once they are packed.
        minutes: of training in this call.

    Returns:
        The file of the backbone, or None before the last step.

    Raises:
        Stopped: by Ctrl-C or SIGTERM, while training.
    """
    place = choose_device(device)
    teacher = Teacher.load(config.teacher, weights)
    torch.manual_seed(config.seed)
    student = build_student(config, teacher)
    fit = Fit(config, teacher, student, out, place)
    shown, held_back = pack.split(_pictures(config, out / PICTURES, data, pictures), config.pictures.held_back)
    LOG.info("%d pictures to train on, %d held back", len(shown), len(held_back))
    with Interrupt() as stop:
        done = fit.run(shown, stop, minutes)
    if not done:
        LOG.info("stopped at step %d of %d; the same command goes on from there", fit.step, config.steps)
        if stop.is_set:
            raise Stopped(stop.signal)
        return None
    backbone = out / BACKBONE
    _write(student.backbone, backbone)
    measure(config, student, teacher, held_back, out, shown)
    return backbone


def _write(backbone: nn.Module, target: Path) -> None:
    part = target.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in backbone.state_dict().items()}, part)
    part.replace(target)


def _pictures(config: DistillConfig, packed: Path, data: Path | None, folder: Path | None) -> Tensor:
    """uint8 (n, 3, side, side)."""
    if packed.exists():
        LOG.info("%s was packed before", packed)
    elif folder is None and data is None:
        raise DataError(f"{packed} is missing: name the pictures with --data or --pictures")
    else:
        loaders = pack.of_folder(folder) if folder else pack.of_datasets(config, data or Path())
        pack.pack(loaders, config.pictures, packed)
    pictures = pack.unpack(packed)
    if pictures.shape[-1] != config.pictures.side:
        raise DataError(
            f"{packed} holds pictures of {pictures.shape[-1]} pixels, pictures.side is {config.pictures.side}: "
            "remove the file to pack anew"
        )
    return pictures
