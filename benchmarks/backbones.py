r"""A study of backbones: candidates distilled for equal time, then probed, beside what a photo costs them when served.

    python -m benchmarks.backbones training/configs/distill.yaml --packed PACKED --data DATA \
        --weights MOBILENET_V2 --weights EFFICIENTNET_LITE0 --out runs/backbones --minutes 7

PACKED is the folder of `omninet distill --packed`. What the teachers see of the first steps' views is best computed
before, by any distillation of the same configuration, so that no candidate pays for it.
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
from model.inference import folded
from model.peripherals.compact import BasicBlock, ConvNorm
from training.commands.process import prepare
from training.distill.config import DistillConfig
from training.distill.distil import AGREEMENT, BACKBONE, distil

CLIP = 16  # frames
TIMED_STEPS = 6  # of a short run, after which the number of steps for the given time is known
ROUNDS = 15  # of each latency


class ChainBlock(nn.Module):
    """One 3 x 3 convolution and the identity, which is folded into it when served (Ding et al. 2021)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, out_channels, kernel=3, stride=stride)
        self.residual = channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        y = self.conv(x)
        return functional.relu(y + x if self.residual else y)


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
    """A depthwise 5 x 5 convolution, then two 1 x 1 convolutions, three times as wide between (Liu et al. 2022)."""

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


Stage = tuple[Callable[[int, int, int], nn.Module], int, int]  # kind of block, width, depth


class Candidate(nn.Module):
    """A stem that leaves a sixteenth of the positions, three stages that each leave a quarter, and a wide top."""

    def __init__(self, stem: int, stages: Sequence[Stage], top: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, stem, kernel=7, stride=4)
        blocks: list[nn.Module] = []
        channels = stem
        for block, width, depth in stages:
            for i in range(depth):
                blocks.append(block(channels, width, 2 if i == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.top = ConvNorm(channels, top, kernel=1)

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
    """Median milliseconds of so many frames at once through each, in turn, on one thread, as they are served."""
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
        out = args.out / name.replace(", ", "-")

        def config_of(steps: int) -> DistillConfig:
            changes = [f"steps={steps}", f"measured={steps}", "average=0.98"]
            return DistillConfig.load(args.config, changes)

        trial = distil(config_of(TIMED_STEPS), out / "trial", args.weights, packed=args.packed, backbone=build())
        assert trial
        state = json.loads((out / "trial" / "state" / "step.json").read_text())
        config = config_of(round(args.minutes * 60 * TIMED_STEPS / state["seconds"]))
        path = distil(config, out, args.weights, packed=args.packed, backbone=build())
        assert path
        found = json.loads((out / AGREEMENT).read_text())
        state = json.loads((out / "state" / "step.json").read_text())
        backbone = build()
        backbone.load_state_dict(load_file(out / BACKBONE))
        extract = extractor(backbone, OURS)
        views = config.steps * config.batch
        row = (
            name,
            f"{sum(p.numel() for p in backbone.parameters()) / 1e6:.2f}",
            f"{photo:.1f}",
            f"{clip:.0f}",
            f"{1e3 * state['seconds'] / views:.1f}",
            f"{views:,}",
            f"{100 * found['top1']:.1f}",
            f"{caption_words(extract, captions):.1f}",
            f"{caltech(extract, args.data / 'caltech101'):.1f}",
        )
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    (args.out / "backbones.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
