"""Feature distillation: a student backbone learns a teacher's feature maps on unlabelled pictures.

Two stages, each of which can be cut off and goes on where it stopped. ``prepare_views`` runs the
teacher once over random crops and keeps what it saw; ``train_student`` fits the student to that.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional
from torchvision.models import mobilenet_v2
from torchvision.transforms import v2

from model.peripherals.compact import CompactNet

LOG = logging.getLogger(__name__)

TEACHER_SIDE = 224
STUDENT_SIDE = 112
TEACHER_CHANNELS = 1280
CELLS = 49
TOP = 6.0  # the teacher ends in ReLU6, so its features fit eight bits


@dataclass(frozen=True)
class Teacher:
    """A MobileNetV2 that sees pixels / 127.5 - 1."""

    features: nn.Module
    classifier: nn.Linear

    @classmethod
    def load(cls, path: Path) -> Teacher:
        """Read torchvision's ``mobilenet_v2`` layout, strictly."""
        network = mobilenet_v2()
        network.load_state_dict(load_file(path))
        network.eval().requires_grad_(False)
        classifier = network.classifier[1]
        assert isinstance(classifier, nn.Linear)
        features = fuse(network.features)
        return cls(features.to(memory_format=torch.channels_last), classifier)

    @torch.inference_mode()
    def see(self, pixels: Tensor) -> Tensor:
        """(n, 3, 224, 224) uint8 -> (n, 49, 1280) in [0, 6]."""
        x = (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        seen: Tensor = self.features(x).flatten(2).transpose(1, 2)
        return seen


@dataclass(frozen=True)
class Views:
    """What was shown and what the teacher saw: (n, 3, 112, 112) and (n, 49, 1280), both uint8."""

    pixels: np.ndarray
    features: np.ndarray

    @classmethod
    def open(cls, folder: Path, count: int) -> Views:
        """Map the two arrays under ``folder``, made where they are missing."""
        return cls(
            _mapped(folder / "pixels.npy", (count, 3, STUDENT_SIDE, STUDENT_SIDE)),
            _mapped(folder / "features.npy", (count, CELLS, TEACHER_CHANNELS)),
        )


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if path.exists():
        return np.lib.format.open_memmap(path, mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def prepare_views(
    pictures: Sequence[Callable[[], Tensor]], teacher: Teacher, folder: Path, per_picture: int, seed: int = 0
) -> Views:
    """Show ``per_picture`` random views of every picture to the teacher.

    Args:
        pictures: loaders of (3, height, width) uint8 RGB.
        folder: where the arrays and the position live; a second call goes on from there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    views = Views.open(folder, len(pictures) * per_picture)
    position = folder / "position.json"
    done = json.loads(position.read_text()) if position.exists() else 0
    random_view = v2.Compose(
        [
            v2.RandomResizedCrop(TEACHER_SIDE, scale=(0.3, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.2, 0.2, 0.2),
        ]
    )
    whole = v2.Resize((TEACHER_SIDE, TEACHER_SIDE), antialias=True)
    shrink = v2.Resize((STUDENT_SIDE, STUDENT_SIDE), antialias=True)
    torch.manual_seed(seed + done)
    started = time.monotonic()
    for i in range(done, len(pictures)):
        picture = pictures[i]()
        shown = torch.stack([whole(picture), *(random_view(picture) for _ in range(per_picture - 1))])
        rows = slice(i * per_picture, (i + 1) * per_picture)
        views.pixels[rows] = shrink(shown).numpy()
        views.features[rows] = (teacher.see(shown) * (255 / TOP)).round().clamp(0, 255).to(torch.uint8).numpy()
        if i % 200 == 199 or i + 1 == len(pictures):
            position.write_text(json.dumps(i + 1))
            LOG.info("views of %d/%d pictures, %.0f s", i + 1, len(pictures), time.monotonic() - started)
    return views


class Student(nn.Module):
    """The backbone, and the projection to the teacher's channels that training alone needs."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = CompactNet()
        self.head = nn.Linear(CompactNet.out_channels, TEACHER_CHANNELS)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, 112, 112) uint8 -> (n, 49, 1280)."""
        x = normalise(pixels).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.head(self.backbone(x).flatten(2).transpose(1, 2))
        return features


def normalise(pixels: Tensor) -> Tensor:
    """uint8 -> about zero mean and unit deviation, the same numbers for all channels."""
    return pixels.float() / 63.75 - 2.0


def distillation_loss(seen: Tensor, features: Tensor, classifier: nn.Linear, temperature: float = 2.0) -> Tensor:
    """Squared error of the map over its variance, plus divergence of the classes it implies."""
    error = functional.mse_loss(seen, features) / features.var()
    student_log = functional.log_softmax(classifier(seen.mean(1)) / temperature, dim=-1)
    teacher_log = functional.log_softmax(classifier(features.mean(1)) / temperature, dim=-1)
    return error + functional.kl_div(student_log, teacher_log, reduction="batchmean", log_target=True)


def train_student(
    views: Views,
    classifier: nn.Linear,
    folder: Path,
    minutes: float,
    batch: int = 64,
    peak_rate: float = 2e-3,
    seed: int = 0,
) -> Student:
    """Fit the student for ``minutes`` of training in all, over as many calls as it takes."""
    torch.manual_seed(seed)
    student = Student().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(student.parameters(), lr=peak_rate, weight_decay=0.02)
    spent, step = _restore(folder, student, optimiser)
    order = _batches(len(views.pixels), min(batch, len(views.pixels)), seed + step)
    student.train()
    losses: list[float] = []
    saved = now = time.monotonic()
    while spent < 60 * minutes:
        rows = next(order)
        pixels, features = _load(views, rows)
        rate = peak_rate * _schedule(spent / (60 * minutes))
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = distillation_loss(student(pixels), features, classifier)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        step += 1
        now, before = time.monotonic(), now
        spent += now - before
        if step % 100 == 0:
            LOG.info("step %d, %.1f min, loss %.4f", step, spent / 60, sum(losses) / len(losses))
            losses.clear()
        if now - saved > 120:
            _save(folder, student, optimiser, spent, step)
            saved = now
    _save(folder, student, optimiser, spent, step)
    return student


def _schedule(progress: float) -> float:
    """Linear warm-up over 3%, then a cosine to zero."""
    return min(progress / 0.03 + 0.01, 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0)))


def _batches(count: int, batch: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield np.sort(order[start : start + batch])


def _load(views: Views, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """A batch, mirrored at random, view and features alike."""
    pixels = torch.from_numpy(views.pixels[rows])
    features = torch.from_numpy(views.features[rows]).float() * (TOP / 255)
    flip = torch.rand(len(rows)) < 0.5
    pixels[flip] = pixels[flip].flip(-1)
    grid = features.view(len(rows), 7, 7, -1)
    grid[flip] = grid[flip].flip(2)
    return pixels, features


def _save(folder: Path, student: Student, optimiser: torch.optim.Optimizer, spent: float, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"student": student.state_dict(), "optimiser": optimiser.state_dict(), "spent": spent, "step": step}
    torch.save(state, folder / "state.tmp")
    (folder / "state.tmp").replace(folder / "state.pt")
    backbone = {name: tensor.contiguous() for name, tensor in student.backbone.state_dict().items()}
    save_file(backbone, folder / "backbone.tmp")
    (folder / "backbone.tmp").replace(folder / "backbone.safetensors")


def _restore(folder: Path, student: Student, optimiser: torch.optim.Optimizer) -> tuple[float, int]:
    if not (folder / "state.pt").exists():
        return 0.0, 0
    state = torch.load(folder / "state.pt", weights_only=True)
    student.load_state_dict(state["student"])
    optimiser.load_state_dict(state["optimiser"])
    return float(state["spent"]), int(state["step"])
