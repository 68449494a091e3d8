"""Runs for the tests, one after the other on the ranks of one torchrun: ``scenarios.py DATA WORK OUT``."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import torch

from omninet.training.config import RunConfig
from omninet.training.distributed import RankedRun, Ranks, run_distributed
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.launch import Launch
from omninet.training.setup import Setup, set_up
from tests.training.conftest import BLOCKS, put, run_values

STOP = 4
STOPPED = 14


def values(**changes: Any) -> dict[str, Any]:
    """A run with dropout, and accumulation in one of its tasks."""
    made = run_values(steps=10, warmup=4, precision="float32", loosen=0.1, **changes)
    made["tasks"]["pos"]["accumulate"] = 2
    return made


def plain(**changes: Any) -> dict[str, Any]:
    """A run without dropout, whose results agree up to rounding for any number of ranks."""
    made = copy.deepcopy(values(**changes))
    made["network"]["cnp"] |= {"dropout": 0.0, "attention_dropout": 0.0}
    return made


def blocks(**changes: Any) -> dict[str, Any]:
    """A run of which a batch, whose ranks have a row each, leaves some of the experts idle on one rank."""
    made = plain(**changes)
    made["network"]["cnp"] |= BLOCKS | {"experts": {"number": 6, "chosen": 1, "encoder": [0], "decoder": [0]}}
    for task in made["tasks"].values():
        task["batch"] = 2
    return made


def lone() -> dict[str, Any]:
    """A picture a step, so that one of two ranks has none; and one that cannot be read, so that neither has."""
    made = plain(media="pixels", max_skipped=0.5)
    made["tasks"] = {"vqa": made["tasks"]["vqa"] | {"batch": 1}}
    return made


def scheduled() -> dict[str, Any]:
    """Two tasks with stop-and-go, with epochs of two and three steps."""
    made = plain(scheduler="stop_and_go", evaluation={"limit": 2}) | {"steps": 30}
    made["tasks"] = {"vqa": made["tasks"]["vqa"] | {"batch": 2}, "pos": made["tasks"]["pos"] | {"accumulate": 1}}
    return made


def break_a_picture(data: Path) -> None:
    put(data / "daquar" / "images" / "image1.jpg", b"hello")


class After(Interrupt):
    """A signal after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    @property
    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def main(data: Path, work: Path, out: Path) -> None:
    torch.set_num_threads(1)
    with Ranks(Launch.read()) as ranks:

        def ready(config: dict[str, Any], data: Path = data) -> Setup:
            return ranks.in_turn(lambda: set_up(RunConfig.model_validate(config), data, "random", work))

        def go(name: str, setup: Setup, resume: bool = False, stop: Interrupt | None = None) -> None:
            with RankedRun(setup, out / name, "Ranks", resume, ranks) as run:
                run_distributed(run, stop or Interrupt())
                run.finish()

        # The signal reaches the last rank alone.
        stops = After(STOP) if ranks.rank else Interrupt()
        measured = {"evaluation": {"every": 5, "limit": 1, "best": "activity/top-1"}}
        go("whole", ready(values(**measured) | {"precision": "bfloat16"}))
        go("parts", ready(values() | {"precision": "bfloat16"}), stop=stops)
        torch.manual_seed(ranks.rank)
        go("parts", ready(values() | {"precision": "bfloat16"}), resume=True)
        go("plain", ready(plain()))
        go("sharded", ready(plain(sharded=True)))
        stops = After(STOP) if ranks.rank else Interrupt()
        go("sharded parts", ready(plain(sharded=True)), stop=stops)
        go("sharded parts", ready(plain(sharded=True)), resume=True)
        stops = After(STOPPED) if ranks.rank else Interrupt()
        go("scheduled", ready(scheduled()), stop=stops)
        go("scheduled", ready(scheduled()), resume=True)
        go("blocks", ready(blocks()))
        go("sharded blocks", ready(blocks(sharded=True)))
        go("lone", ready(lone(), out / "broken"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
