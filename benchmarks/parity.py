"""Check that the served network gives the same tokens as the authors' algorithm, on many inputs.

    python -m benchmarks.parity --checkpoint CHECKPOINT --inputs 200

Greedy tokens in float32 are compared with the authors' algorithm (whole prefix, plain layers); bfloat16 and int8 with
float32, teacher-forced with the same tokens: from precomputed backbone features, and from pixels. Without
``--checkpoint``, the bundled model is tested. The exit code is 1 if tokens differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from benchmarks.authors import decode_greedy
from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import BUNDLED
from omninet.model.decoding.goal import Goal
from omninet.model.fast.devices import Precision
from omninet.model.fast.inference import for_inference
from omninet.model.fast.precision import STEPS, Reference, compare, decode_reference, score_reference
from omninet.model.network.cnp import group
from omninet.model.network.encoding import encode
from omninet.model.network.omninet import OmniNet
from omninet.model.predictor import Predictor
from omninet.model.rows import Prepared, Row

CPU = torch.device("cpu")
BATCH = 8
WORDS = ("a", "the", "dog", "man", "two", "red", "runs", "plays", "on", "with", "what", "is", "how", "many", "street")


def inputs(predictor: Predictor, count: int) -> list[list[Row]]:
    """Return batches of synthetic rows, with the tasks that decode classes in turn."""
    rows = list[Row]()
    tasks = [name for name in predictor.tasks if predictor.sample(name, 0).rows[0].goal.reads == "classes"]
    for number in range(count):
        rows += predictor.sample(tasks[number % len(tasks)], number).rows
    rows = [replace(row, goal=Goal(row.goal.task, min(row.goal.steps, STEPS))) for row in rows]
    alike = group((row.shape, row.goal, _length(row)) for row in rows).values()
    return [[rows[i] for i in some[start : start + BATCH]] for some in alike for start in range(0, len(some), BATCH)]


def _length(row: Row) -> int:
    """Return the length of a row's text or recording, by which rows are grouped: the authors' code has no padding."""
    return next((len(getattr(given.value, "tokens", given.value)) for given in row.inputs if not given.frames), 0)


@torch.inference_mode()
def seen(network: OmniNet, rows: Sequence[Row]) -> list[Row]:
    """Return the rows with backbone features in place of pixels."""

    def look(given: Prepared) -> Prepared:
        if not given.frames:
            return given
        features = network.peripherals[given.peripheral].features
        return given._replace(value=features(torch.as_tensor(given.value)[None])[0])  # type: ignore[operator]

    return [replace(row, inputs=tuple(map(look, row.inputs))) for row in rows]


@torch.inference_mode()
def theirs(network: OmniNet, rows: Sequence[Row]) -> list[list[int]]:
    """Return the tokens of the authors' algorithm."""
    goal = rows[0].goal
    tokens: list[list[int]] = decode_greedy(network.cnp, encode(network, CPU, rows), goal.task, goal.steps).tolist()
    return tokens


def main() -> int:
    """Run the comparison; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--inputs", type=int, default=200)
    args = parser.parse_args()
    checkpoint = checkpoints.load(args.checkpoint)
    predictor = Predictor(checkpoint, device="cpu", precision="float32")
    pixels = inputs(predictor, args.inputs)
    features = [seen(predictor.network, rows) for rows in pixels]
    said = [decode_reference(predictor.network, CPU, rows) for rows in pixels]
    wrong = _count_wrong(checkpoint.network, pixels, said)
    total = sum(len(rows) for rows in pixels)
    print(f"float32: the authors' tokens for {total - wrong} of {total} inputs")
    of_features = [decode_reference(predictor.network, CPU, rows) for rows in features]
    names: tuple[Precision, ...] = ("bfloat16", "int8")
    for name in names:
        quick = for_inference(checkpoint.network, CPU, name)
        for what, batches, before in (("features", features, of_features), ("pixels", pixels, said)):
            again = [score_reference(quick, CPU, rows, each) for rows, each in zip(batches, before, strict=True)]
            print(f"{name} from {what}: {asdict(compare(before, again))}", flush=True)
    return int(wrong > 0)


def _count_wrong(network: OmniNet, batches: Sequence[Sequence[Row]], said: Sequence[Reference]) -> int:
    """Count the rows whose tokens differ from the authors'."""
    wrong = 0
    for rows, mine in zip(batches, said, strict=True):
        wrong += sum(one != other for one, other in zip(theirs(network, rows), mine.tokens.tolist(), strict=True))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
