"""Benchmark of a checkpoint on one device: captions per second by batch size, time per step, and time per request.

    python -m benchmarks.device --checkpoint CHECKPOINT --device cuda --precision bfloat16 --out runs/device

Captions have a typical length. The lower bound of a step is the time to read the decoder's weights once at the
bandwidth measured by copying a large tensor.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.model import WORDS, Bench
from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import BUNDLED
from omninet.model.decoding.goal import Goal
from omninet.model.predictor import Predictor
from omninet.model.rows import Row

STEPS = WORDS + 2
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


def photo() -> bytes:
    """Return a JPEG of noise with the size of a typical upload."""
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=90)
    return file.getvalue()


def medians_of(run: Callable[[], Sequence[float]], seconds: float) -> list[float]:
    """Return the median of each value that a function returns, over ``seconds``; the first run is not counted."""
    run()
    found: list[Sequence[float]] = []
    until = time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < until:
        found.append(run())
    return [statistics.median(figures) for figures in zip(*found, strict=True)]


def measure_bandwidth(device: torch.device) -> float:
    """Return the memory bandwidth in bytes per second."""
    source = torch.empty(2**28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> list[float]:
        started = time.perf_counter()
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return [time.perf_counter() - started]

    return 2 * source.nbytes / medians_of(copy, 1)[0]


def batch(predictor: Predictor, row: Row, rows: int) -> Sequence[float]:
    """Return the seconds for a batch of captions, and the milliseconds per step."""
    started = time.perf_counter()
    decoded = predictor.run([row] * rows)  # returns Python lists, so the device is synchronised
    return time.perf_counter() - started, decoded[0].decode_ms / STEPS


def request(predictor: Predictor, data: bytes) -> Sequence[float]:
    """Return the milliseconds of a request with one photo."""
    started = time.perf_counter()
    job = predictor.prepare("caption", image=data)
    predictor.run([replace(row, goal=Goal("caption", STEPS)) for row in job.rows])
    return [1e3 * (time.perf_counter() - started)]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--seconds", type=float, default=5, help="for each figure")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    checkpoint = checkpoints.load(args.checkpoint)
    predictor = Predictor(checkpoint, device=args.device, precision=args.precision)
    read = Bench(checkpoint.network).step_bytes("caption") / 4 * BYTES[predictor.precision]
    bandwidth, data = measure_bandwidth(predictor.device), photo()
    floor = 1e3 * read / bandwidth
    lines = [
        f"{predictor.device}, {predictor.precision}, torch {torch.__version__}, {bandwidth / 1e9:.0f} GB/s: "
        f"a step's floor is {floor:.2f} ms; a photo to its caption, {STEPS} steps: "
        f"{medians_of(lambda: request(predictor, data), args.seconds)[0]:.1f} ms\n",
        "| rows | captions/s | tokens/s | a step, ms | times its floor |",
        "|---" * 5 + "|",
    ]
    row = replace(predictor.prepare("caption", image=data).rows[0], goal=Goal("caption", STEPS))
    for rows in args.batches:
        seconds, step = medians_of(lambda rows=rows: batch(predictor, row, rows), args.seconds)  # type: ignore[misc]
        cells = (f"{rows / seconds:.1f}", f"{1e3 * rows / step:.0f}", f"{step:.2f}", f"{step / floor:.1f}")
        lines.append(f"| {rows} | {' | '.join(cells)} |")
    print("\n".join(lines))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "device.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
