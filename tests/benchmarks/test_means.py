"""Every stage of the full-size network's speed answers the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.means import stages
from benchmarks.model import Bench, Case
from omninet.model import checkpoint as checkpoints


def test_stages_decode_the_same(toy_checkpoint: Path) -> None:
    case = Case("caption", "caption", rows=2, theirs=6, ours=6, pixels=True)
    networks = stages(checkpoints.load(toy_checkpoint).network)

    tokens = {name: Bench(network).ours(case) for name, network in networks.items()}

    assert len(tokens) == 6
    exact = [found for name, found in tokens.items() if "bfloat16" not in name and "int8" not in name]
    assert all(found == exact[0] for found in exact)


def test_the_work_of_a_case_is_counted(toy_checkpoint: Path) -> None:
    bench = Bench(checkpoints.load(toy_checkpoint).network)
    one, two = (Case("answer", "vqa", rows=rows, theirs=1, ours=1) for rows in (1, 2))

    assert bench.flops(two) == pytest.approx(2 * bench.flops(one), rel=1e-3)
    assert bench.ours(one)[0] == bench.theirs(one)[0].tolist()
