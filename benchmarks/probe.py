r"""Linear probes of a frozen backbone for caption words (Flickr8k) and classes (Caltech-101).

    python -m benchmarks.probe --data DATA --backbone compact=runs/distill/backbone.safetensors \
        --teacher mobilenet_v2=mobilenet_v2.safetensors --teacher efficientnet_lite0=efficientnet_lite0.safetensors

Features are the backbone's map averaged over its cells, standardised on the training photos; the probe is a ridge
regression. For captions it is trained on 2,000 photos to predict which share of the five captions has each of the 120
most common content words, and evaluated on 800 dev photos by mean average precision; a word is present if two captions
have it. For Caltech-101 it is trained on all training photos and evaluated by accuracy on dev. Reported is the best of
five regularisation strengths. With several teachers, their concatenated features are probed as well.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms.v2 import functional

from omninet.model.media.images import decode_image
from omninet.model.modalities.vision.peripheral import build_backbone
from omninet.model.storage.weights import load_weights
from omninet.training.commands.process import keep_memory
from omninet.training.data.flickr8k import Flickr8k
from omninet.training.distill.config import BackboneSpec
from omninet.training.distill.networks import Scale, Teacher

Extract = Callable[[Tensor], Tensor]  # uint8 (b, 3, 224, 224) -> (b, channels)

OURS = BackboneSpec(backbone="compact", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
TEACHERS = {
    "mobilenet_v2": BackboneSpec(backbone="mobilenet_v2", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "efficientnet_lite0": BackboneSpec(
        backbone="efficientnet_lite0", mean=(127 / 255, 127 / 255, 127 / 255), std=(128 / 255, 128 / 255, 128 / 255)
    ),
}
SIZE, BATCH = 224, 16
TRAIN_PHOTOS, DEV_PHOTOS, WORDS = 2000, 800, 120
LEAST_PRESENT = 4  # minimum number of dev photos with a word that is evaluated
STRENGTHS = (300.0, 1000.0, 3000.0, 10000.0, 30000.0)
FUNCTION_WORDS = frozenset(("a", "an", "and", "are", "in", "is", "of", "on", "the", "with"))


class Captions(NamedTuple):
    """Data of the caption probe.

    Attributes:
        train, dev: photos.
        shares: (train photos, words), share of a photo's captions that have the word.
        present: bool (dev photos, words), whether at least two captions have the word.
    """

    train: list[Path]
    dev: list[Path]
    shares: Tensor
    present: Tensor


def read_captions(folder: Path) -> Captions:
    """Read the photos and captions of Flickr8k for the probe."""
    data = Flickr8k(folder)
    train, dev = list(data.read("train"))[:TRAIN_PHOTOS], list(data.read("dev"))[:DEV_PHOTOS]
    counts = Counter(w for e in train for c in e.captions for w in _words(c) if w not in FUNCTION_WORDS)
    words = [word for word, _ in counts.most_common(WORDS)]

    ours, theirs = (
        torch.tensor([[sum(w in _words(c) for c in e.captions) / len(e.captions) for w in words] for e in part])
        for part in (train, dev)
    )
    photos = [[e.image for e in part if e.image] for part in (train, dev)]
    return Captions(photos[0], photos[1], ours, theirs >= 2 / 5 - 1e-6)


def read_caltech(folder: Path, split: str) -> tuple[list[Path], list[str]]:
    """Read the photos and classes of ``train`` or ``dev``."""
    lines = (folder / f"{split}.txt").read_text(encoding="utf-8").split()
    return [folder / "101_ObjectCategories" / line for line in lines], [line.split("/")[0] for line in lines]


def features_of(extract: Extract, photos: Sequence[Path]) -> Tensor:
    """Compute the features of photos, stretched to squares: (n, channels)."""
    found = []
    for start in range(0, len(photos), BATCH):
        pixels = [torch.from_numpy(decode_image(path.read_bytes()).pixels) for path in photos[start : start + BATCH]]
        views = torch.stack([functional.resize(p, [SIZE, SIZE], antialias=True) for p in pixels])
        found.append(extract(views))
    return torch.cat(found)


def extractor(backbone: nn.Module, spec: BackboneSpec) -> Extract:
    """Return a function that maps pixels to a backbone's pooled features."""
    scale = Scale(spec)
    backbone.eval().to(memory_format=torch.channels_last)

    def extract(views: Tensor) -> Tensor:
        with torch.inference_mode():
            pooled: Tensor = backbone(scale(views.float() / 255)).mean((2, 3))
        return pooled

    return extract


def ridge(train: Tensor, targets: Tensor, dev: Tensor, strength: float) -> Tensor:
    """Fit a ridge regression (n, channels) -> (n, targets); return its predictions for (m, channels), (m, targets)."""
    mean, std = train.mean(0), train.std(0) + 1e-6
    x, z = ((train - mean) / std).double(), ((dev - mean) / std).double()
    y = targets.double()
    gram = x.T @ x + strength * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, x.T @ (y - y.mean(0)))
    said: Tensor = z @ weights + y.mean(0)
    return said


def caption_words(extract: Extract, data: Captions) -> float:
    """Return the mean average precision of the caption probe, in percent."""
    train, dev = features_of(extract, data.train), features_of(extract, data.dev)
    counted = data.present.sum(0) >= LEAST_PRESENT
    best = 0.0
    for strength in STRENGTHS:
        scores = ridge(train, data.shares, dev, strength)[:, counted]
        precisions = [average_precision(s, p) for s, p in zip(scores.T, data.present[:, counted].T, strict=True)]
        best = max(best, 100 * sum(precisions) / len(precisions))
    return best


def average_precision(scores: Tensor, present: Tensor) -> float:
    """Return the average precision of scores: the mean precision at the rank of each photo that has the word."""
    hits = present[scores.argsort(descending=True)].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def caltech(extract: Extract, folder: Path) -> float:
    """Return the accuracy of the class probe, in percent."""
    (train, names), (dev, wanted) = read_caltech(folder, "train"), read_caltech(folder, "dev")
    classes = sorted(set(names))
    targets = torch.eye(len(classes))[[classes.index(name) for name in names]]
    x, z = features_of(extract, train), features_of(extract, dev)
    truth = torch.tensor([classes.index(name) for name in wanted])
    found = [ridge(x, targets, z, strength).argmax(1) == truth for strength in STRENGTHS]
    return max(100 * float(hits.double().mean()) for hits in found)


def joined(extracts: Sequence[Extract]) -> Extract:
    """Return a function that concatenates several backbones' features."""
    return lambda views: torch.cat([extract(views) for extract in extracts], 1)


def load_backbone(name: str, path: str) -> nn.Module:
    """Build one of our backbones with weights from a file."""
    backbone = build_backbone(name)
    load_weights(backbone, load_file(path), path)
    return backbone


def _words(caption: str) -> list[str]:
    return re.findall("[a-z]+", caption.lower())


def main() -> None:
    """Probe all backbones named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of flickr8k and caltech101")
    parser.add_argument("--backbone", action="append", default=[], metavar="NAME=FILE", help="ours, as distill writes")
    parser.add_argument("--teacher", action="append", default=[], metavar="NAME=FILE", help=f"of {', '.join(TEACHERS)}")
    args = parser.parse_args()
    keep_memory()
    extracts = {}
    for name, path in (item.split("=", 1) for item in args.backbone):
        extracts[f"{name} {path}"] = extractor(load_backbone(name, path), OURS)
    teachers = {}
    for name, path in (item.split("=", 1) for item in args.teacher):
        spec = TEACHERS[name]
        teachers[name] = extractor(Teacher.load(spec, path).features, spec)
    if len(teachers) > 1:
        teachers[" + ".join(teachers)] = joined(list(teachers.values()))
    captions = read_captions(args.data / "flickr8k")
    print("| backbone | caption words, mAP | Caltech-101, % |\n|---|---|---|")
    for name, extract in (extracts | teachers).items():
        words, classes = caption_words(extract, captions), caltech(extract, args.data / "caltech101")
        print(f"| {name} | {words:.1f} | {classes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
