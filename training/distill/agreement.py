"""How well a student sees what its teachers see, on photos that it was not trained on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from omninet.model.fast.devices import multiplies_bfloat16
from omninet.training.distill.eyes import Student
from omninet.training.distill.shown import Shown
from omninet.training.distill.targets import Targets

BATCH = 64


@dataclass(frozen=True)
class Agreement:
    """Of a student with its teachers.

    Attributes:
        pictures: how many it was measured on.
        cosine: for each teacher, of the projected features of a cell, the mean over all cells.
        explained: for each teacher, share of the variance of the projected and weighted features, 1 - error / variance.
        top1: share of the pictures of which the student's classifier names the class that the last teacher names.
        top5: share with the teacher's class among the student's five likeliest; None where no teacher names classes.
    """

    pictures: int
    cosine: tuple[float, ...]
    explained: tuple[float, ...]
    top1: float | None = None
    top5: float | None = None

    def write(self, path: Path) -> None:
        """Write JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


@torch.inference_mode()
def measure(student: Student, shown: Shown, targets: Targets, photos: Tensor) -> Agreement:
    """Compare a student with its teachers on the first view of the photos of these numbers, (n,)."""
    student.eval()
    device = targets.device
    cosines, errors, hits = [], [], []
    for batch in torch.split(photos * shown.kinds, BATCH):
        views = shown(batch)
        wanted = targets.of(batch, views)
        with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device)):
            seen = student(views.to(device).float() / 255)
        pairs = [(s.float(), w) for s, w in zip(seen.maps, wanted.maps, strict=True)]
        cosines.append(torch.stack([functional.cosine_similarity(s, w, dim=-1).mean(1) for s, w in pairs], 1))
        errors.append(torch.stack([(s - w).square().mean((1, 2)) / w.var() for s, w in pairs], 1))
        if seen.logits is not None and wanted.logits is not None:
            likeliest = seen.logits.topk(min(5, seen.logits.shape[1])).indices
            hits.append(likeliest == wanted.logits.argmax(1)[:, None])
    cosine, explained = torch.cat(cosines).mean(0), 1 - torch.cat(errors).mean(0)
    found = torch.cat(hits) if hits else None
    return Agreement(
        len(photos),
        tuple(cosine.tolist()),
        tuple(explained.tolist()),
        None if found is None else _share(found[:, 0]),
        None if found is None else _share(found.any(1)),
    )


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
