r"""Study of backbone architectures: distil candidates for equal time, then probe them and measure their latency.

    python -m benchmarks.backbones training/configs/distill.yaml --packed PACKED --data DATA \
        --weights MOBILENET_V2 --weights EFFICIENTNET_LITE0 --out runs/backbones --minutes 7

PACKED is the folder of `omninet distill --packed`. Run any distillation with the same configuration before, so that the
teacher outputs of the first steps are cached and do not count as a candidate's training time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.probe import OURS, caltech, caption_words, extractor, read_captions
from omninet.model.fast.inference import folded
from omninet.model.modalities.vision.chain import ChainBlock
from omninet.model.modalities.vision.compact import BasicBlock, ConvNorm, Stage, stages
from omninet.training.commands.process import prepare
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.distil import AGREEMENT, BACKBONE, distil
from omninet.training.distill.state import STEP

CLIP = 16  # frames
TIMED_STEPS = 6  # steps of a trial run, from which the number of steps for the given time is estimated
ROUNDS = 15  # latency measurements, the first two of which are not counted


class FusedBlock(nn.Module):
    """A 3 x 3 convolution to twice the width, then a 1 x 1 convolution back (Gupta, Tan 2019)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.expand = ConvNorm(channels, 2 * channels, kernel=3, stride=stride)
        self.project = ConvNorm(2 * channels, out_channels, kernel=1)
        self.residual = channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        y: Tensor = self.project(functional.relu(self.expand(x)))
        return x + y if self.residual else y


class SeparableBlock(nn.Module):
    """A depthwise 5 x 5 convolution, then two 1 x 1 convolutions with expansion factor 3 (Liu et al. 2022)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        depthwise = nn.Conv2d(channels, channels, 5, stride, padding=2, groups=channels, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(channels))
        self.expand = ConvNorm(channels, 3 * out_channels, kernel=1)
        self.project = ConvNorm(3 * out_channels, out_channels, kernel=1)
        self.residual = channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        y: Tensor = self.project(functional.relu(self.expand(self.depthwise(x))))
        return x + y if self.residual else y


class Candidate(nn.Module):
    """A stem with stride 4, three stages with stride 2 each, and a 1 x 1 convolution to ``top`` channels."""

    def __init__(self, stem: int, shapes: Sequence[Stage], top: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, stem, kernel=7, stride=4)
        self.blocks = stages(stem, shapes)
        self.top = ConvNorm(shapes[-1][1], top, kernel=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) normalised pixels -> (n, top, height / 32, width / 32)."""
        return functional.relu(self.top(self.blocks(functional.relu(self.stem(pixels)))))


CANDIDATES: dict[str, Callable[[], Candidate]] = {
    "basic": lambda: Candidate(32, [(BasicBlock, 64, 1), (BasicBlock, 128, 2), (BasicBlock, 256, 5)], 512),
    "basic, wider": lambda: Candidate(32, [(BasicBlock, 80, 1), (BasicBlock, 160, 2), (BasicBlock, 320, 4)], 768),
    "chain": lambda: Candidate(48, [(ChainBlock, 96, 2), (ChainBlock, 192, 4), (ChainBlock, 384, 3)], 768),
    "fused": lambda: Candidate(32, [(BasicBlock, 64, 1), (FusedBlock, 128, 3), (FusedBlock, 256, 5)], 768),
    "dense, then separable": lambda: Candidate(
        32, [(BasicBlock, 64, 1), (BasicBlock, 144, 3), (SeparableBlock, 384, 5)], 768
    ),
}


def latencies(backbones: Sequence[nn.Module], frames: int) -> list[float]:
    """Return the median milliseconds of each backbone for a batch of frames, in turn, on one thread, as in serving."""
    torch.set_num_threads(1)
    pixels = torch.rand(frames, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    served = [folded(backbone.eval()) for backbone in backbones]
    times: list[list[float]] = [[] for _ in served]
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for backbone, own in zip(served, times, strict=True):
                start = time.perf_counter()
                backbone(pixels)
                own.append(1e3 * (time.perf_counter() - start))
    return [median(own[2:]) for own in times]


def study(build: Callable[[], Candidate], out: Path, args: argparse.Namespace) -> tuple[Candidate, tuple[str, ...]]:
    """Train a candidate for the given time; return it with its milliseconds per view, number of views, and top-1."""

    def trained(folder: Path, steps: int) -> tuple[DistillConfig, float]:
        config = DistillConfig.load(args.config, [f"steps={steps}", f"measured={steps}", "average=0.98"])
        torch.manual_seed(config.seed)
        distil(config, folder, args.weights, packed=args.packed, backbone=build())
        return config, json.loads((folder / "state" / STEP).read_text())["seconds"]

    _, seconds = trained(out / "trial", TIMED_STEPS)
    config, seconds = trained(out, round(args.minutes * 60 * TIMED_STEPS / seconds))
    backbone = build()
    backbone.load_state_dict(load_file(out / BACKBONE))
    views, top1 = config.steps * config.batch, json.loads((out / AGREEMENT).read_text())["top1"]
    return backbone, (f"{1e3 * seconds / views:.1f}", f"{views:,}", f"{100 * top1:.1f}")


def main() -> None:
    """Train, probe and time all candidates, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.0)
    args = parser.parse_args()
    prepare(None)
    threads = torch.get_num_threads()
    nets = [build() for build in CANDIDATES.values()]
    times = list(zip(latencies(nets, 1), latencies(nets, CLIP), strict=True))
    torch.set_num_threads(threads)
    captions = read_captions(args.data / "flickr8k")
    lines = [
        "| backbone | parameters, M | photo, ms | clip, ms | ms a view, training | views | top-1 | caption words, mAP "
        "| Caltech-101, % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for (name, build), (photo, clip) in zip(CANDIDATES.items(), times, strict=True):
        backbone, cells = study(build, args.out / name.replace(", ", "-"), args)
        extract = extractor(backbone, OURS)
        probes = caption_words(extract, captions), caltech(extract, args.data / "caltech101")
        parameters = sum(p.numel() for p in backbone.parameters()) / 1e6
        row = (name, f"{parameters:.2f}", f"{photo:.1f}", f"{clip:.0f}", *cells, *(f"{value:.1f}" for value in probes))
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    (args.out / "backbones.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
