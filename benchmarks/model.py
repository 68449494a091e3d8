"""Compare the full-size network with the authors' algorithm, with the same weights, alternating in one process.

    python -m benchmarks.model --out runs/model

Without ``--checkpoint``, the authors' architecture has random weights, which do not affect the time of a step; the
length of captions is fixed. Prints a table of medians with a lower bound each: the time to read the decoder's weights
once per step at the measured bandwidth, or to compute all products at the measured rate, whichever is longer.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.authors import CAPTION_STEPS, decode_greedy
from omninet.model import checkpoint as checkpoints
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.goal import Goal
from omninet.model.fast.devices import Precision
from omninet.model.fast.inference import for_inference
from omninet.model.fast.linear import product
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.peripheral import backboned
from omninet.model.modalities.vision.peripheral import VisionPeripheral
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.official.names import official_config
from omninet.model.tasks import Input

WORDS = 12  # typical length of a caption; two more tokens mark beginning and end
QUESTION = 8  # subwords of a question
CELLS = 49


@dataclass(frozen=True)
class Case:
    """A benchmark case: rows of one kind, decoded to the end.

    Attributes:
        theirs: decoding steps of the authors' code.
        ours: decoding steps of our code, which stops at the end of the text.
        frames: per row.
        pixels: whether the case includes the backbone.
    """

    name: str
    task: str
    rows: int
    theirs: int
    ours: int
    frames: int = 1
    pixels: bool = False


CASES = (
    Case("caption, 20 steps", "caption", 1, 20, 20),
    Case("caption, 20 steps, 8 rows", "caption", 8, 20, 20),
    Case("caption, 100 steps", "caption", 1, 100, 100),
    Case("caption, 100 steps, 8 rows", "caption", 8, 100, 100),
    Case(f"caption of {WORDS} words", "caption", 1, CAPTION_STEPS, WORDS + 2),
    Case("answer", "vqa", 1, 1, 1),
    Case("activity", "activity", 1, 1, 1, frames=16),
    Case(f"photo to caption of {WORDS} words", "caption", 1, CAPTION_STEPS, WORDS + 2, pixels=True),
    Case("clip to activity", "activity", 1, 1, 1, frames=16, pixels=True),
)


class Bench:
    """A network with inputs for benchmark cases."""

    def __init__(self, network: OmniNet) -> None:
        self.network = network.requires_grad_(False)
        self.vision = cast("VisionPeripheral", backboned(network)[0])

    def inputs(self, case: Case) -> list[tuple[str, str, object]]:
        """Return random inputs: pixels or backbone features, and subwords if the task reads text."""
        config = self.network.config
        return [
            (
                given.peripheral,
                given.domain,
                self._seen(case) if config.modality(given.peripheral).has_backbone else self._read(case, given),
            )
            for given in config.tasks[case.task].inputs
        ]

    def _seen(self, case: Case) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        if case.pixels:
            pixels = (case.rows, case.frames, 3, *[self.vision.config.size] * 2)
            return torch.randint(0, 256, pixels, dtype=torch.uint8, generator=generator)
        channels = self.vision.projection.in_features
        return torch.rand((case.rows, case.frames, CELLS, channels), generator=generator)

    def _read(self, case: Case, given: Input) -> object:
        text = Subwords(np.arange(QUESTION), np.arange(QUESTION))
        collate = self.network.peripherals[given.peripheral].collate
        collated: object = collate([text] * case.rows)  # type: ignore[operator]
        return collated

    @torch.inference_mode()
    def theirs(self, case: Case) -> Tensor:
        """Run the authors' algorithm."""
        inputs = self.inputs(case)
        if case.pixels:
            peripheral, domain, pixels = inputs[0]
            inputs[0] = (peripheral, domain, self._plain_features(pixels))
        memory = self.network.encode(inputs)
        return decode_greedy(self.network.cnp, memory, case.task, case.theirs)

    def _plain_features(self, pixels: Any) -> Tensor:
        mean, std = (
            torch.tensor(values)[:, None, None] for values in (self.vision.config.mean, self.vision.config.std)
        )
        maps: Tensor = self.vision.backbone((pixels[0].float() / 255 - mean) / std)
        return maps.flatten(2).transpose(1, 2)[None]

    @torch.inference_mode()
    def ours(self, case: Case) -> list[list[int]]:
        """Decode with RunningBatch, with all rows admitted at once."""
        memory: Memory = self.network.encode(self.inputs(case))
        running = RunningBatch(self.network.cnp, self.network.heads)
        searches = running.admit(memory, [Goal(case.task, case.ours)] * case.rows)
        while running:
            running.step()
        return [search.result().tokens for search in searches]

    def flops(self, case: Case) -> int:
        """Return the floating-point operations of our code for a case; a multiply-add counts as two."""
        with FlopCounterMode(display=False) as counter:
            self.ours(case)
        return int(counter.get_total_flops())

    def step_bytes(self, task: str) -> int:
        """Return the bytes of weights that a decoder step reads: all but the projections to cached keys and values."""
        cnp = self.network.cnp
        read = [
            *cnp.decoder.parameters(),
            *cnp.output_projection.parameters(),
            *cnp.classifiers[cnp.tasks[task]].parameters(),
        ]
        unread = [p for layer in cnp.decoder.layers for p in _of_caches(layer)]
        return sum(p.nbytes for p in read) - sum(p.nbytes for p in unread)


def _of_caches(layer: Any) -> list[Tensor]:
    attentions = (layer.temporal_attention, layer.spatial_attention)
    return [p for attention in attentions for part in (attention.key, attention.value) for p in part.parameters()]


def measure_bandwidth() -> float:
    """Return the memory bandwidth in bytes per second, from the sum of a tensor much larger than any cache."""
    numbers = torch.rand(2**28)
    return 1e3 * numbers.nbytes / medians([numbers.sum], 2)[0]


@torch.inference_mode()
def measure_rate(precision: Precision) -> float:
    """Return the floating-point operations per second of a matrix product."""
    matrix = torch.rand(2048, 2048)
    multiply = product(matrix, None, precision)
    return 1e3 * 2 * 2048**3 / medians([lambda: multiply(matrix)], 2)[0]


def medians(runs: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Return the median milliseconds of each function, run in turn for ``seconds``; the first round is not counted."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[0]) < 3:
        for mine, run in zip(times, runs, strict=True):
            started = time.perf_counter()
            run()
            mine.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(mine) for mine in times]


def build(checkpoint: Path | None) -> OmniNet:
    """Load the network, or build the authors' architecture with random weights."""
    if checkpoint is not None:
        return checkpoints.load(checkpoint).network
    torch.manual_seed(0)
    network = OmniNet(official_config()).eval()
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()  # replaces identity initialisation, which no trained layer has
    return network


def arguments(description: str | None) -> argparse.Namespace:
    """Parse the arguments of a benchmark of the full-size network, and set the number of CPU threads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10, help="for each case")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args


def main() -> None:
    """Run the benchmark."""
    args = arguments(__doc__)
    network, cpu = build(args.checkpoint), torch.device("cpu")
    ours = {name: Bench(for_inference(network, cpu, name)) for name in get_args(Precision)}
    plain = Bench(network)
    plain.vision.backbone.to(memory_format=torch.contiguous_format)  # channels first, as in the authors' code
    sizes: dict[Precision, int] = {"float32": 4, "bfloat16": 2}
    bandwidth, rates = measure_bandwidth(), {name: measure_rate(name) for name in sizes}
    speeds = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in rates.items())
    lines = [
        f"{args.threads} threads of {platform.machine()}, torch {torch.__version__}, "
        f"{bandwidth / 1e9:.1f} GB/s, {speeds}\n",
        f"| median ms | as the authors run it | {' | '.join(f'{name} | times' for name in ours)} | "
        f"{' | '.join(f'floor in {name}' for name in sizes)} |",
        "|---" * (2 + 2 * len(ours) + len(sizes)) + "|",
    ]
    print("\n".join(lines))
    for case in CASES:
        runs: list[Callable[[], object]] = [
            partial(plain.theirs, case),
            *(partial(bench.ours, case) for bench in ours.values()),
        ]
        theirs, *found = medians(runs, args.seconds)
        cells = [cell for mine in found for cell in (f"{mine:.1f}", f"{theirs / mine:.1f}")]
        work, read = plain.flops(case), case.ours * plain.step_bytes(case.task)
        for name, size in sizes.items():
            floor = max(work / rates[name], read / bandwidth * size / 4)
            cells.append(f"{1e3 * floor:.1f}")
        lines.append(f"| {case.name} | {theirs:.1f} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "model.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
