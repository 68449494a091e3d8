"""What the teachers see of every view, computed when a view is first shown and kept on disk."""

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
from omninet.training.distill.eyes import Teacher, classes_of

SAMPLED = 2048  # views that a projection is fitted to
BATCH = 16  # views that the teachers see at once
STEPS = 32.0  # of 8 bits, to a standard deviation
MIDDLE = 128
MAPS, LOGITS, DONE, PROJECTION, META = "maps.u8", "logits.f16", "done.u8", "projection.safetensors", "targets.json"


class Wanted(NamedTuple):
    """What the teachers see of views.

    Attributes:
        maps: one for each teacher, (b, s, its projected channels), with a mean variance of 1.
        logits: the last teacher's, (b, classes), None where it names none.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor | None


class Projection(nn.Module):
    """A teacher's channels on the principal components of its maps, each at mean 0 and deviation 1.

    ``weight`` is what they are multiplied by to be learnt: the square root of their deviation, halfway between
    whitened and as the teacher has them, since what varies little also tells pictures apart.
    """

    mean: Tensor
    basis: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, basis: Tensor, std: Tensor) -> None:
        """Take mean (channels,), basis (channels, components) and the components' deviations."""
        super().__init__()
        for name, tensor in (("mean", mean), ("basis", basis), ("std", std)):
            self.register_buffer(name, tensor)

    @classmethod
    def fit(cls, cells: Tensor, components: int) -> Projection:
        """Find the principal components of (n, channels)."""
        mean = cells.double().mean(0)
        centred = cells.double() - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(cells))
        order = values.argsort(descending=True)[:components]
        std = values[order].clamp(min=1e-12).sqrt()
        return cls(mean.float(), vectors[:, order].float(), std.float())

    @property
    def weight(self) -> Tensor:
        """Of each component, (components,), so that the mean of their variances is 1."""
        return (self.std / self.std.mean()).sqrt()

    def forward(self, cells: Tensor) -> Tensor:
        """(..., channels) -> (..., components)."""
        return (cells - self.mean) @ self.basis / self.std


@dataclass
class Targets:
    """The teachers and what they have seen so far, in a folder that a killed process leaves whole."""

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
        """Open a folder, or begin one.

        Args:
            sample: uint8 (n, 3, size, size), views that the projections are fitted to where there are none.
            count: of all views.

        Raises:
            DataError: it holds what other teachers saw, or of other views.
        """
        device = next(teachers[0].parameters()).device
        identity = {
            "teachers": [eye.model_dump(mode="json") for eye in config.teachers],
            "views": config.views.model_dump(mode="json", exclude={"light"}),
            "channels": config.channels,
            "count": count,
        }
        meta = folder / META
        if not meta.exists():
            _begin(folder, teachers, sample, config.channels)
            meta.write_text(json.dumps(identity, indent=2))
        if json.loads(meta.read_text()) != identity:
            raise DataError(f"{folder} is of other teachers or views: the same configuration goes on, or remove it")
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

    def of(self, numbers: Tensor, views: Tensor) -> Wanted:
        """Return what the teachers see of uint8 (b, 3, size, size), which are the views of these numbers (b,)."""
        rows = numbers.numpy()
        missing = np.flatnonzero(self.done[rows] == 0)
        for part in range(0, len(missing), BATCH):
            chunk = missing[part : part + BATCH]
            self._look(rows[chunk], views[torch.from_numpy(chunk)])
        whitened = (torch.from_numpy(self.maps[rows]).float() - MIDDLE) / STEPS
        widths = [projection.std.numel() for projection in self.projections]
        maps = [
            part.to(self.device) * projection.weight
            for part, projection in zip(torch.split(whitened, widths, -1), self.projections, strict=True)
        ]
        logits = None if self.logits is None else torch.from_numpy(self.logits[rows]).float().to(self.device)
        return Wanted(tuple(maps), logits)

    def _look(self, rows: np.ndarray[Any, np.dtype[np.int64]], views: Tensor) -> None:
        """Let the teachers see views, and write it down; ``done`` comes last."""
        maps, logits = look(self.teachers, views, self.device)
        whitened = torch.cat([project(m) for project, m in zip(self.projections, maps, strict=True)], -1)
        self.maps[rows] = (whitened * STEPS + MIDDLE).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        if self.logits is not None and logits is not None:
            self.logits[rows] = logits.half().cpu().numpy()
        self.done[rows] = 1


@torch.inference_mode()
def look(teachers: Sequence[Teacher], views: Tensor, device: torch.device) -> tuple[list[Tensor], Tensor | None]:
    """Return each teacher's map of uint8 (b, 3, size, size), (b, s, channels), and the last one's class logits."""
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
    seen = [look(teachers, batch, device)[0] for batch in torch.split(sample, BATCH)]
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
        raise DataError(f"{path} is missing or damaged: remove its folder to begin anew") from error
    return [Projection(*part).to(device) for part in parts]


def _mapped(path: Path, kind: type[Any], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A file as an array; a new one is zero, and takes no space where nothing is written."""
    return np.memmap(path, kind, "r+" if path.exists() else "w+", shape=shape)


def _scaled(views: Tensor, device: torch.device) -> Tensor:
    return views.to(device).float() / 255
