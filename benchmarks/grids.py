"""What a finer grid of a picture costs: the backbone, and the decoder that attends to its cells.

    python -m benchmarks.grids

The bundled network captions one picture at twice its size, which gives 14 x 14 cells in place of 7 x 7, in turn with
its own size, one request at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from omninet.model.checkpoint import BUNDLED, load
from omninet.model.network.omninet import OmniNet
from omninet.model.predictor import Predictor
from omninet.model.rows import Row

SIDES = 224, 448  # pixels of a picture
ROUNDS = 25  # the first five are not counted


def predictor_of(side: int) -> Predictor:
    """Return the bundled network for pictures of another size; no weight depends on it."""
    checkpoint = load(BUNDLED)
    given = checkpoint.config.network
    vision = replace(given.peripherals["vision"], size=side)
    larger = replace(given, peripherals={**given.peripherals, "vision": vision})
    network = OmniNet(larger)
    network.load_state_dict(checkpoint.network.state_dict())
    config = replace(checkpoint.config, network=larger)
    return Predictor(replace(checkpoint, config=config, network=network), device="cpu")


def with_features(predictor: Predictor) -> tuple[Row, Row]:
    """Return a request for a caption with its pixels, and with the features of the backbone in their place."""
    (row,) = predictor.sample("caption", 0).rows
    (given,) = row.inputs
    features = predictor.see(given.value, given.peripheral)
    return row, replace(row, inputs=(given._replace(value=features),))


def milliseconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    """Run the benchmark and print a table."""
    torch.set_num_threads(1)
    predictors = [predictor_of(side) for side in SIDES]
    rows = [with_features(predictor) for predictor in predictors]
    times = np.zeros((ROUNDS, len(SIDES), 2))
    for i in range(ROUNDS):
        for j, (predictor, given) in enumerate(zip(predictors, rows, strict=True)):
            for k, row in enumerate(given):
                times[i, j, k] = milliseconds(lambda predictor=predictor, row=row: predictor.run([row]))  # type: ignore[misc]
    print("| cells | a caption, ms | without the backbone, ms |")
    print("|---|---|---|")
    for j, side in enumerate(SIDES):
        whole, without = (median(times[5:, j, k]) for k in range(2))
        print(f"| {side // 32} x {side // 32} | {whole:.0f} | {without:.0f} |")


if __name__ == "__main__":
    main()
