"""Run a distillation: pack photos, train a student, evaluate it and write its backbone."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from omninet.model.fast.devices import choose_device
from omninet.training.data import DataError
from omninet.training.data.exclusion import Exclusion
from omninet.training.distill.agreement import measure
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.fit import Fit
from omninet.training.distill.networks import build_student, fill_student, load_teachers
from omninet.training.distill.pack import Pack, pack, repeats
from omninet.training.distill.sources import (
    PictureSource,
    dev_of_datasets,
    of_datasets,
    of_folder,
    of_lists,
    read_classes,
    subsample,
)
from omninet.training.distill.targets import SAMPLED, Targets
from omninet.training.distill.view_loader import ViewLoader
from omninet.training.distill.words import CaptionWords
from omninet.training.runtime.interrupt import Interrupt, Stopped

LOG = logging.getLogger(__name__)
BACKBONE, AGREEMENT, CURVE = "backbone.safetensors", "agreement.json", "curve.tsv"
PICTURES, TARGETS = "pictures.zip", "targets"
MEASURED = 2000  # maximum number of held-back photos in an evaluation


@dataclass(frozen=True)
class Photos:
    """Sources of a distillation's photos; if these are already packed, only the captions of data sets are read.

    Attributes:
        data: folder of the data sets and folders that the configuration names.
        pictures: folder of further photos; each subfolder is a collection.
        classes: list of their classes (``sources.read_classes``).
        excluded: photos that must not be used: lists of names and hashes (``Exclusion.read``), or folders.
    """

    data: Path | None = None
    pictures: Path | None = None
    classes: Path | None = None
    excluded: Sequence[Path] = ()


def distil(
    config: DistillConfig,
    out: Path,
    weights: Sequence[str],
    device: str = "auto",
    *,
    photos: Photos | None = None,
    packed: Path | None = None,
    minutes: float = math.inf,
    backbone: nn.Module | None = None,
    start: Path | None = None,
) -> Path | None:
    """Pack the photos if necessary, then train, evaluate and write the backbone.

    Args:
        weights: for each teacher, a safetensors file or ``published``.
        packed: folder of the packed photos and cached teacher outputs; None is ``out``.
        minutes: maximum training time of this call.
        backbone: student backbone that replaces the configured one.
        start: file of the backbone's initial weights; None for random ones. A state in ``out`` replaces them.

    Returns:
        The file of the backbone, or None if the last step has not been reached.

    Raises:
        Stopped: SIGINT (Ctrl-C) or SIGTERM was received during training.
    """
    place = choose_device(device)
    teachers = [teacher.to(place) for teacher in load_teachers(config, weights)]
    torch.manual_seed(config.seed)
    student = build_student(config, teachers, backbone)
    if start is not None:
        fill_student(student, start)
    photos = photos or Photos()
    out.mkdir(parents=True, exist_ok=True)
    packed = packed or out
    if not (packed / PICTURES).exists():
        _pack(config, photos, packed / PICTURES)
    loader = ViewLoader(Pack(packed / PICTURES), config)
    words = CaptionWords.read(config, photos.data, loader.pack.entries)
    if words is not None:
        student.learn_words(len(words.words))
    train, held_back = loader.pack.split(config.pictures.held_back)
    LOG.info("%d pictures to train on, %d held back", len(train), len(held_back))
    shows = train.repeat_interleave(repeats(loader.pack, train, config.often))
    sample = loader(_spread(train, SAMPLED) * loader.kinds)
    targets = Targets.open(packed / TARGETS, config, teachers, sample, len(loader))
    fit = Fit(config, student, loader, targets, out, place, words)
    with Interrupt() as stop:
        fit.run(shows, stop, minutes, lambda fit: _measure(fit, _spread(held_back, MEASURED), out))
    if not fit.done:
        step, steps = fit.progress.step, config.steps
        LOG.info("stopped at step %d of %d; repeat the command to continue", step, steps)
        if stop.is_set:
            raise Stopped(stop.signal)
        return None
    return out / BACKBONE


def _measure(fit: Fit, held_back: Tensor, out: Path) -> None:
    """Evaluate the averaged student, append a line to the learning curve, and write its backbone."""
    found = measure(fit.average, fit.loader, fit.targets, held_back)
    found.write(out / AGREEMENT)
    names = [spec.backbone for spec in fit.config.teachers]
    row: dict[str, float | None] = {
        "step": fit.progress.step,
        "views": fit.progress.step * fit.config.batch,
        "seconds": round(fit.progress.seconds),
        **{f"cosine {name}": value for name, value in zip(names, found.cosine, strict=True)},
        **{f"explained {name}": value for name, value in zip(names, found.explained, strict=True)},
        "top1": found.top1,
        "top5": found.top5,
    }
    LOG.info(", ".join(f"{name} {value:.6g}" for name, value in row.items() if value is not None))
    curve = out / CURVE
    with curve.open("a", encoding="utf-8") as file:
        if not curve.stat().st_size:
            file.write("\t".join(row) + "\n")
        file.write("\t".join("" if value is None else f"{value:.6g}" for value in row.values()) + "\n")
    _write(fit.average.backbone, out / BACKBONE)


def _write(backbone: nn.Module, target: Path) -> None:
    part = target.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in backbone.state_dict().items()}, part)
    part.replace(target)


def _pack(config: DistillConfig, photos: Photos, target: Path) -> None:
    if photos.data is None and photos.pictures is None:
        raise DataError(f"{target} is missing: name the pictures with --data or --pictures")
    sources: list[PictureSource] = []
    excluded = Exclusion()
    if photos.data:
        sources += of_datasets(config.datasets, photos.data) + of_lists(config.folders, photos.data)
        never = dev_of_datasets(config.datasets, photos.data)
        never += of_lists({str(i): folder for i, folder in enumerate(config.excluded)}, photos.data)
        excluded |= Exclusion.of_photos(source.path for source in never if not source.clip)
    if photos.pictures:
        found = of_folder(photos.pictures, read_classes(photos.classes) if photos.classes else None)
        sources += subsample(found, config.pictures.most, config.seed)
    for path in photos.excluded:
        excluded |= (
            Exclusion.of_photos(source.path for source in of_folder(path)) if path.is_dir() else Exclusion.read(path)
        )
    if not sources:
        raise DataError(f"datasets ({', '.join(config.datasets) or 'none'}) hold no pictures to train on")
    counts = pack(sources, config.pictures, target, excluded)
    LOG.info("packed %s", ", ".join(f"{number} of {name}" for name, number in counts.items()))


def _spread(photos: Tensor, most: int) -> Tensor:
    """Return at most ``most`` photos, evenly spaced."""
    number = min(len(photos), most)
    return photos[torch.arange(number) * len(photos) // number]
