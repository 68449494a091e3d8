"""Agreement of a student's feature maps and classes with its teachers', on held-back photos."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from omninet.model.fast.devices import multiplies_bfloat16
from omninet.training.distill.networks import Student
from omninet.training.distill.targets import Targets
from omninet.training.distill.view_loader import ViewLoader

BATCH = 64


@dataclass(frozen=True)
class Agreement:
    """How well a student reproduces its teachers.

    Attributes:
        pictures: number of pictures measured.
        cosine: for each teacher, cosine similarity of the projected features of a cell, averaged over all cells.
        explained: for each teacher, explained variance of the weighted projected features, 1 - error / variance.
        top1: share of pictures for which the student's most likely class is the last teacher's; None without classes.
        top5: share for which the last teacher's class is among the student's top 5; None without classes.
    """

    pictures: int
    cosine: tuple[float, ...]
    explained: tuple[float, ...]
    top1: float | None = None
    top5: float | None = None

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


@torch.inference_mode()
def measure(student: Student, loader: ViewLoader, targets: Targets, photos: Tensor) -> Agreement:
    """Compare a student with its teachers on the first view of each photo; ``photos`` holds their numbers, (n,)."""
    student.eval()
    device = targets.device
    cosines, errors, hits = [], [], []
    for batch in torch.split(photos * loader.kinds, BATCH):
        views = loader(batch)
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
