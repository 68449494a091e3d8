"""A step of the decoder in ONNX Runtime and here, in turn, with the bundled model on one thread.

    omninet export --onnx graphs
    python -m benchmarks.exported graphs

Both decode captions of the same length greedily from the same memory. Prints medians in milliseconds a step, and the
largest difference of the log-probabilities of the last one.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from omninet.model.decoding.batch import RunningBatch
from omninet.model.network.encoding import encode, on_device
from omninet.model.predictor import Predictor
from omninet.model.rows import Row

TASK, TOKENS = "caption", 20
MEMORY = "temporal_keys", "temporal_values", "spatial_keys", "spatial_values"


class Graphs:
    """Exported graphs in ONNX Runtime, on one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self._sessions: dict[str, Any] = {}

    def run(self, name: str, **inputs: Any) -> list[np.ndarray]:
        """Run a graph."""
        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._sessions[name] = onnxruntime.InferenceSession(self.folder / f"{name}.onnx", options)
        found: list[np.ndarray] = self._sessions[name].run(None, inputs)
        return found

    def encode(self, frames: Tensor) -> dict[str, np.ndarray]:
        """Encode photos, (b, 1, 3, size, size)."""
        (x,) = self.run("peripheral.vision", frames=frames.numpy())
        memory = self.run("encoder", x=x, domain=np.array(self.manifest["domains"]["image"]))
        frame = np.zeros((len(x), x.shape[2]), dtype=np.int64)
        return dict(zip(MEMORY, memory, strict=True)) | {"frame": frame}

    def decode(self, memory: dict[str, np.ndarray]) -> np.ndarray:
        """Decode TOKENS tokens of every row; return the last log-probabilities of the tokens, (b)."""
        shape, rows = self.manifest["decoder"], len(memory["frame"])
        keys, values = (
            np.zeros((shape["slots"], rows, shape["heads"], 0, shape[k]), np.float32) for k in ("d_key", "d_value")
        )
        token = np.zeros(rows, dtype=np.int64)
        vocabulary = self.manifest["tasks"][TASK]["vocabulary"]
        for i in range(TOKENS):
            position = np.array(i)
            (x,) = self.run(f"embed.{TASK}", token=token, position=position)
            hidden, keys, values = self.run("step", x=x, position=position, keys=keys, values=values, **memory)
            (scores,) = self.run(f"classify.{vocabulary}", hidden=hidden)
            token = scores.argmax(-1)
        return np.asarray(scores.max(-1))


def ours(predictor: Predictor, rows: list[Row]) -> tuple[float, list[float]]:
    """Decode the rows here; return the milliseconds, without encoding, and the last log-probabilities."""
    memory = encode(predictor.network, predictor.device, rows)
    started = time.perf_counter()
    running = RunningBatch(predictor.network.cnp, predictor.network.heads)
    searches = running.admit(memory, [row.goal for row in rows])
    while running:
        running.step()
    taken = 1e3 * (time.perf_counter() - started)
    return taken, [search.result().log_probabilities[-1] for search in searches]


@torch.inference_mode()
def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    predictor, graphs = Predictor.load(precision="float32"), Graphs(args.graphs)
    print(f"{platform.machine()}, ONNX Runtime {onnxruntime.__version__}, torch {torch.__version__}\n")
    print(
        "| rows | ONNX Runtime, ms a step | here, ms a step | ONNX Runtime / here | difference |\n|---|---|---|---|---|"
    )
    for count in (1, 4, 32):
        rows = [predictor.sample(TASK, number).rows[0] for number in range(count)]
        rows = [replace(row, goal=replace(row.goal, beams=1, steps=TOKENS, end=None)) for row in rows]
        ((_, _, frames),) = on_device(predictor.network, predictor.device, rows)
        memory = graphs.encode(frames)
        pairs: list[tuple[float, float]] = []
        for _ in range(args.rounds + 2):
            started = time.perf_counter()
            theirs = graphs.decode(memory)
            taken = 1e3 * (time.perf_counter() - started)
            mine, last = ours(predictor, rows)
            pairs.append((taken / TOKENS, mine / TOKENS))
        first, second = (statistics.median(column) for column in zip(*pairs[2:], strict=True))
        ratio = statistics.median(a / b for a, b in pairs[2:])
        print(f"| {count} | {first:.2f} | {second:.2f} | {ratio:.2f} | {np.abs(theirs - last).max():.1e} |", flush=True)


if __name__ == "__main__":
    main()
