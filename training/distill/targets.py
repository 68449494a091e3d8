"""Cached teacher outputs for every view: computed at a view's first use and stored on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from omninet.model.fast.devices import multiplies_bfloat16
from omninet.training.data import DataError
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.networks import Teacher, classes_of

SAMPLED = 2048  # views to fit a projection to
BATCH = 16  # views per teacher forward pass
STEPS = 32.0  # 8-bit quantisation steps per standard deviation
MIDDLE = 128  # quantised value of 0
MAPS, LOGITS, DONE, PROJECTION, META = "maps.u8", "logits.f16", "done.u8", "projection.safetensors", "targets.json"


class TeacherOutput(NamedTuple):
    """Outputs of the teachers for a batch of views.

    Attributes:
        maps: one per teacher, (b, s, its projected channels), with a mean variance of 1.
        logits: of the last teacher, (b, classes); None if it has no classifier.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor | None


class Projection(nn.Module):
    """Whitened principal components of a teacher's feature map (mean 0, standard deviation 1).

    ``weight`` scales them for the loss, by the square root of their standard deviation: halfway between whitened and
    original features, since components of small variance also distinguish pictures.
    """

    mean: Tensor
    basis: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, basis: Tensor, std: Tensor) -> None:
        """Take mean (channels,), basis (channels, components) and standard deviations (components,)."""
        super().__init__()
        for name, tensor in (("mean", mean), ("basis", basis), ("std", std)):
            self.register_buffer(name, tensor)

    @classmethod
    def fit(cls, cells: Tensor, components: int) -> Projection:
        """Fit principal components to cells (n, channels)."""
        mean = cells.double().mean(0)
        centred = cells.double() - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(cells))
        order = values.argsort(descending=True)[:components]
        std = values[order].clamp(min=1e-12).sqrt()
        return cls(mean.float(), vectors[:, order].float(), std.float())

    @property
    def weight(self) -> Tensor:
        """Return the loss weight of each component, (components,), normalised to a mean variance of 1."""
        return (self.std / self.std.mean()).sqrt()

    def forward(self, cells: Tensor) -> Tensor:
        """Project (..., channels) to (..., components)."""
        return (cells - self.mean) @ self.basis / self.std


@dataclass
class Targets:
    """Teachers with a cache of their outputs in a folder; the cache stays valid if the process is killed."""

    teachers: Sequence[Teacher]
    projections: Sequence[Projection]
    maps: np.memmap[Any, np.dtype[np.uint8]]
    logits: np.memmap[Any, np.dtype[np.float16]] | None
    done: np.memmap[Any, np.dtype[np.uint8]]
    device: torch.device

    @classmethod
    def open(
        cls, folder: Path, config: DistillConfig, teachers: Sequence[Teacher], sample: Tensor, count: int
    ) -> Targets:
        """Open a cache, or create it.

        Args:
            sample: uint8 (n, 3, size, size), views to fit the projections to when the cache is created.
            count: number of all views.

        Raises:
            DataError: the cache belongs to other teachers or views.
        """
        device = next(teachers[0].parameters()).device
        identity = {
            "teachers": [spec.model_dump(mode="json") for spec in config.teachers],
            "views": config.views.model_dump(mode="json", exclude={"light"}),
            "channels": config.channels,
            "count": count,
        }
        meta = folder / META
        if not meta.exists():
            _begin(folder, teachers, sample, config.channels)
            meta.write_text(json.dumps(identity, indent=2))
        if json.loads(meta.read_text()) != identity:
            raise DataError(f"{folder} was computed with other teachers or views: use its configuration, or remove it")
        projections = _load_projections(folder / PROJECTION, len(teachers), device)
        cells = teachers[0](_scaled(sample[:1], device)).shape[1]
        width = sum(projection.std.numel() for projection in projections)
        classes = classes_of(teachers)
        return cls(
            teachers,
            projections,
            _mapped(folder / MAPS, np.uint8, (count, cells, width)),
            _mapped(folder / LOGITS, np.float16, (count, classes)) if classes else None,
            _mapped(folder / DONE, np.uint8, (count,)),
            device,
        )

    def of(self, numbers: Tensor, views: Tensor) -> TeacherOutput:
        """Return the teachers' outputs for views uint8 (b, 3, size, size) with these numbers (b,)."""
        rows = numbers.numpy()
        missing = np.flatnonzero(self.done[rows] == 0)
        for part in range(0, len(missing), BATCH):
            chunk = missing[part : part + BATCH]
            self._compute(rows[chunk], views[torch.from_numpy(chunk)])
        whitened = (torch.from_numpy(self.maps[rows]).float() - MIDDLE) / STEPS
        widths = [projection.std.numel() for projection in self.projections]
        maps = [
            part.to(self.device) * projection.weight
            for part, projection in zip(torch.split(whitened, widths, -1), self.projections, strict=True)
        ]
        logits = None if self.logits is None else torch.from_numpy(self.logits[rows]).float().to(self.device)
        return TeacherOutput(tuple(maps), logits)

    def _compute(self, rows: np.ndarray[Any, np.dtype[np.int64]], views: Tensor) -> None:
        """Compute and store outputs; ``done`` is written last, so that a killed process leaves no partial rows."""
        maps, logits = teacher_outputs(self.teachers, views, self.device)
        whitened = torch.cat([project(m) for project, m in zip(self.projections, maps, strict=True)], -1)
        self.maps[rows] = (whitened * STEPS + MIDDLE).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        if self.logits is not None and logits is not None:
            self.logits[rows] = logits.half().cpu().numpy()
        self.done[rows] = 1


@torch.inference_mode()
def teacher_outputs(
    teachers: Sequence[Teacher], views: Tensor, device: torch.device
) -> tuple[list[Tensor], Tensor | None]:
    """Return each teacher's map (b, s, channels) of uint8 (b, 3, size, size), and the last teacher's class logits."""
    scaled = _scaled(views, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device)):
        maps = [teacher(scaled).float() for teacher in teachers]
    classifier = teachers[-1].classifier
    return maps, None if classifier is None else classifier(maps[-1].mean(1))


def _begin(folder: Path, teachers: Sequence[Teacher], sample: Tensor, channels: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MAPS, LOGITS, DONE):
        (folder / name).unlink(missing_ok=True)
    device = next(teachers[0].parameters()).device
    seen = [teacher_outputs(teachers, batch, device)[0] for batch in torch.split(sample, BATCH)]
    tensors: dict[str, Tensor] = {}
    for number, maps in enumerate(zip(*seen, strict=True)):
        cells = torch.cat([m.flatten(0, 1).cpu() for m in maps])
        fitted = Projection.fit(cells, min(channels, cells.shape[1]))
        tensors |= {f"{number}.{name}": tensor.contiguous() for name, tensor in fitted.state_dict().items()}
    save_file(tensors, folder / PROJECTION)


def _load_projections(path: Path, number: int, device: torch.device) -> list[Projection]:
    try:
        tensors = load_file(path)
        parts = [[tensors[f"{i}.{name}"] for name in ("mean", "basis", "std")] for i in range(number)]
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{path} is missing or damaged: remove its folder to compute it again") from error
    return [Projection(*part).to(device) for part in parts]


def _mapped(path: Path, kind: type[Any], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Map a file as an array; a new file is zero and sparse."""
    return np.memmap(path, kind, "r+" if path.exists() else "w+", shape=shape)


def _scaled(views: Tensor, device: torch.device) -> Tensor:
    return views.to(device).float() / 255
