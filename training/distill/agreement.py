"""How well a student sees what its teacher sees, on pictures that it was not trained on."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.devices import multiplies_bfloat16
from training.distill import pack
from training.distill.config import DistillConfig
from training.distill.eyes import Student, Teacher
from training.distill.views import whole

LOG = logging.getLogger(__name__)
PICTURES = "pictures.zip"
BATCH = 64
PROBED = 10_000  # training pictures that the probe is fitted to, at most
PROBE_STEPS = 100
PROBE_RATE = 0.01
PROBE_DECAY = 3.0


@dataclass(frozen=True)
class Agreement:
    """Of a student with its teacher, on pictures held back; the classes are None for a teacher without a last layer.

    Attributes:
        pictures: how many.
        cosine: of the features of a cell, the mean over all cells.
        explained: share of the variance of the teacher's features, 1 - mse / var, var over all of them as in the loss.
        top1: share of the pictures of which the teacher's last layer makes the same class from both maps.
        top5: the same, with the teacher's class among the five that are likeliest from the student's map.
        probe: the same as top1, by a linear classifier on the student's own features, fitted to ``probed`` pictures
            that the student was trained on.
    """

    pictures: int
    cosine: float
    explained: float
    top1: float | None = None
    top5: float | None = None
    probe: float | None = None
    probed: int | None = None


@dataclass(frozen=True)
class Sight:
    """What both see of the same pictures.

    Attributes:
        cosine, explained: as in Agreement.
        features: (n, student's channels), the mean of each picture's map.
        seen, wanted: (n, teacher's channels), the same of the student's map after its projection, and the teacher's.
    """

    cosine: float
    explained: float
    features: Tensor
    seen: Tensor
    wanted: Tensor


def measure(
    config: DistillConfig, student: Student, teacher: Teacher, held_back: Tensor, out: Path, shown: Tensor | None = None
) -> Agreement:
    """Compare the two on whole pictures, and write ``agreement.json``.

    Args:
        held_back: uint8 (n, 3, side, side), never trained on.
        out: folder of the distillation.
        shown: uint8 (m, 3, side, side), trained on; None reads them from ``out`` where they are needed.
    """
    size = config.views.size
    sight = see(student, teacher, held_back, size)
    found = Agreement(len(held_back), sight.cosine, sight.explained)
    if teacher.classifier is not None:
        if shown is None:
            shown, _ = pack.split(pack.unpack(out / PICTURES), config.pictures.held_back)
        number = min(len(shown), PROBED)
        spread = shown[torch.arange(number) * len(shown) // number]
        found = _with_classes(found, teacher.classifier, sight, see(student, teacher, spread, size))
    (out / "agreement.json").write_text(json.dumps(asdict(found), indent=2) + "\n")
    LOG.info("agreement: %s", ", ".join(f"{name} {v:.5g}" for name, v in asdict(found).items() if v is not None))
    return found


@torch.inference_mode()
def see(student: Student, teacher: Teacher, pictures: Tensor, size: int) -> Sight:
    """Show uint8 (n, 3, side, side) to both, whole."""
    device = student.head.weight.device
    student.eval()
    pooled: list[tuple[Tensor, Tensor, Tensor]] = []
    sums = torch.zeros(4, dtype=torch.float64)
    for batch in torch.split(pictures, BATCH):
        views = whole(batch, size).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device)):
            wanted = teacher(views)
            features = student.backbone(student.scale(views)).flatten(2).transpose(1, 2)
            seen = student.head(features)
        features, seen, wanted = features.float(), seen.float(), wanted.float()
        pooled.append((features.mean(1), seen.mean(1), wanted.mean(1)))
        cosine = functional.cosine_similarity(seen, wanted, dim=-1).mean()
        moments = torch.stack((cosine, (seen - wanted).square().mean(), wanted.mean(), wanted.square().mean()))
        sums += len(batch) * moments.double().cpu()
    cosine, error, mean, square = sums / len(pictures)
    explained = 1 - error / (square - mean**2)
    return Sight(float(cosine), float(explained), *(torch.cat(part) for part in zip(*pooled, strict=True)))


def fit_probe(features: Tensor, classes: Tensor) -> nn.Linear:
    """A linear classifier from standardised (n, channels) to soft classes (n, number of classes)."""
    with torch.enable_grad():
        probe = nn.Linear(features.shape[1], classes.shape[1], device=features.device)
        nn.init.zeros_(probe.weight)
        nn.init.zeros_(probe.bias)
        optimiser = torch.optim.AdamW(probe.parameters(), lr=PROBE_RATE, weight_decay=PROBE_DECAY)
        for _ in range(PROBE_STEPS):
            optimiser.zero_grad()
            functional.cross_entropy(probe(features), classes).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return probe.requires_grad_(False)


def _with_classes(found: Agreement, classifier: nn.Linear, held_back: Sight, shown: Sight) -> Agreement:
    wanted = classifier(held_back.wanted).argmax(1)
    likeliest = classifier(held_back.seen).topk(min(5, classifier.out_features)).indices
    # Computed outside the inference mode of see(), these are tensors that gradients can pass.
    mean, std = shown.features.mean(0), shown.features.std(0, correction=0) + 1e-6
    probe = fit_probe((shown.features - mean) / std, classifier(shown.wanted).softmax(1))
    probed = probe((held_back.features - mean) / std).argmax(1)
    return replace(
        found,
        top1=_share(likeliest[:, 0] == wanted),
        top5=_share((likeliest == wanted[:, None]).any(1)),
        probe=_share(probed == wanted),
        probed=len(shown.features),
    )


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
