"""What experts, convolutions and the mixer cost in time: networks of the bundled size, with random weights, in turn.

    python -m benchmarks.blocks

Medians on one thread: a text of 30 words encoded, a caption of 20 words decoded greedily for one picture and for 32,
both as served, and a training step of 32 captions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch

from omninet.model.checkpoint import BUNDLED, skim
from omninet.model.config import ConvolutionsConfig, ExpertsConfig
from omninet.model.fast.inference import for_inference
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.cnp import CNP
from omninet.model.network.omninet import OmniNet

ROUNDS = 12  # the first two are not counted
WORDS, STEPS, CELLS, ROWS = 30, 20, 49, 32
EXPERTS = ExpertsConfig(number=8, chosen=2, encoder=(1,), decoder=(1,))
CONVOLUTIONS = ConvolutionsConfig(encoder="beside", decoder=True)
VARIANTS = {
    "none": {},
    "experts": {"experts": EXPERTS},
    "convolutions": {"convolutions": CONVOLUTIONS},
    "mixer": {"mixer": True},
    "all": {"experts": EXPERTS, "convolutions": CONVOLUTIONS, "mixer": True},
}


def build(name: str) -> OmniNet:
    """Return a network of the bundled size with the blocks of a variant."""
    config = skim(BUNDLED).network.subset(["caption", "pos"])
    torch.manual_seed(0)
    return OmniNet(replace(config, cnp=replace(config.cnp, **VARIANTS[name])))  # type: ignore[arg-type]


@torch.inference_mode()
def encode(cnp: CNP) -> None:
    """Encode a text."""
    cnp.encode(torch.ones(1, WORDS, 1, cnp.config.d_model), "english")


@torch.inference_mode()
def caption(cnp: CNP, rows: int) -> None:
    """Decode captions of pictures."""
    cohort = cnp.start(cnp.encode(torch.ones(rows, 1, CELLS, cnp.config.d_model), "image"), "caption")
    last = torch.zeros(rows, 1, dtype=torch.long)
    for _ in range(STEPS):
        (scores,) = cnp.step([cohort], [last])
        last = scores.argmax(-1)


def train(cnp: CNP) -> None:
    """Compute the gradients of captions."""
    cnp.zero_grad()
    auxiliary = Auxiliary()
    memory = cnp.encode(torch.ones(ROWS, 1, CELLS, cnp.config.d_model), "image", auxiliary=auxiliary)
    scores = cnp.decode(memory, "caption", torch.ones(ROWS, STEPS, dtype=torch.long), auxiliary=auxiliary)
    loss = scores.mean() + sum(auxiliary.losses.values(), torch.zeros(()))
    loss.backward()  # type: ignore[no-untyped-call]


def main() -> None:
    """Run the benchmark and print a table."""
    torch.set_num_threads(1)
    networks = {name: build(name) for name in VARIANTS}
    calls: dict[str, dict[str, Callable[[], None]]] = {}
    for name, network in networks.items():
        served = for_inference(network, torch.device("cpu"), "float32").cnp
        trained = build(name).cnp.train()  # the one that is served shares its tensors with the network it is made of
        calls[name] = {
            f"{WORDS} words encoded": lambda served=served: encode(served),  # type: ignore[misc]
            "a caption": lambda served=served: caption(served, 1),  # type: ignore[misc]
            f"{ROWS} captions": lambda served=served: caption(served, ROWS),  # type: ignore[misc]
            f"a step of {ROWS} captions": lambda trained=trained: train(trained),  # type: ignore[misc]
        }
    columns = list(calls["none"])
    print(f"| ms | {' | '.join(columns)} | parameters, millions |", "|---" * (2 + len(columns)) + "|", sep="\n")
    times = {name: {column: list[float]() for column in columns} for name in calls}
    for _ in range(ROUNDS):
        for column in columns:
            for name, call in calls.items():
                started = time.perf_counter()
                call[column]()
                times[name][column].append(1e3 * (time.perf_counter() - started))
    for name, found in times.items():
        cells = [f"{median(each[2:]):.1f}" for each in found.values()]
        size = sum(p.numel() for p in networks[name].cnp.parameters()) / 1e6
        print(f"| {name} | {' | '.join(cells)} | {size:.1f} |")


if __name__ == "__main__":
    main()
