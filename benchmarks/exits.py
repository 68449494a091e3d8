"""What each exit of the task ``embed`` finds, and what it costs: recall, milliseconds and operations.

    python -m benchmarks.exits --data DATA [--checkpoint runs/mine/checkpoint] [--photos 1000]

Photos and captions are those of Flickr8k's dev part. The exits are timed in turn, one input at a time; the time of a
photo begins with its pixels and contains the backbone, which all exits share.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from omninet.model import checkpoint as checkpoints
from omninet.model.media.images import Picture, decode_image
from omninet.model.outputs.embedding.exits import EXITS
from omninet.model.outputs.embedding.metrics import retrieval_metrics
from omninet.model.predictor import Predictor
from omninet.model.storage.layout import BUNDLED
from omninet.training.data import DATASETS

BATCH = 32
WARM_UP = 3

Vectors = NDArray[np.float32]
Inputs = Sequence[Mapping[str, Any]]


def embed(predictor: Predictor, exit_name: str, inputs: Inputs) -> Vectors:
    """Return the vectors of pictures (``image``) or texts (``text``) at an exit, (inputs, width)."""
    found = []
    for start in range(0, len(inputs), BATCH):
        jobs = [predictor.prepare("embed", exit=exit_name, **given) for given in inputs[start : start + BATCH]]
        found += [row.values for row in predictor.run([row for job in jobs for row in job.rows])]
    return np.stack([values for values in found if values is not None]).astype(np.float32)


def milliseconds(predictor: Predictor, inputs: Inputs) -> dict[str, float]:
    """Return the median time of one input at each exit; exits take turns."""
    taken: dict[str, list[float]] = {name: [] for name in EXITS}
    for given in inputs:
        for name in EXITS:
            started = time.perf_counter()
            predictor.predict("embed", exit=name, **given)
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(times[WARM_UP:]) for name, times in taken.items()}


def operations(plain: Predictor, exit_name: str, given: Mapping[str, Any]) -> float:
    """Return the floating-point operations of one input in millions; a multiply-add counts as two."""
    with FlopCounterMode(display=False) as counter:
        plain.predict("embed", exit=exit_name, **given)
    return float(counter.get_total_flops()) / 1e6


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    checkpoint = checkpoints.load(args.checkpoint)
    predictor, plain = (Predictor(checkpoint, device="cpu", precision="float32") for _ in range(2))
    plain.network = checkpoint.network  # without packed products, which the counter does not see
    photos, texts, owners = read(args.data, args.photos)
    spent = [milliseconds(predictor, inputs[: args.rounds]) for inputs in (texts, photos)]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {len(photos):,} photos and {len(texts):,} captions\n")
    print("| exit | text to image R@1 | R@10 | image to text R@1 | R@10 | ms of a text | of a photo | Mflop of both |")
    print("|---|---|---|---|---|---|---|---|")
    for name in reversed(EXITS):
        found = retrieval_metrics(embed(predictor, name, photos), embed(predictor, name, texts), owners)
        recalls = [f"{found[f'{way} R@{k}']:.1f}" for way in ("text-to-image", "image-to-text") for k in (1, 10)]
        times = [f"{each[name]:.1f}" for each in spent]
        work = [f"{operations(plain, name, inputs[0]):,.0f}" for inputs in (texts, photos)]
        print("| " + " | ".join([name, *recalls, *times, " + ".join(work)]) + " |")


def read(data: Path, count: int) -> tuple[Inputs, Inputs, NDArray[np.int64]]:
    """Return decoded photos, their captions, and the row of each caption's photo."""
    examples = DATASETS["flickr8k"](data / "flickr8k").read("dev")[:count]
    files = [example.image for example in examples if example.image is not None]
    photos: list[dict[str, Picture]] = [{"image": decode_image(file.read_bytes())} for file in files]
    texts = [{"text": caption} for example in examples for caption in example.captions]
    owners = [i for i, example in enumerate(examples) for _ in example.captions]
    return photos, texts, np.array(owners)


if __name__ == "__main__":
    main()
