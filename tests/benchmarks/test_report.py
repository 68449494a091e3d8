"""The report of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.load.alone import Alone
from benchmarks.load.ceiling import Ceiling
from benchmarks.load.metrics import Cell, Latency
from benchmarks.load.plots import draw
from benchmarks.load.report import Results, markdown, save


def cell(variant: str, workload: str, clients: int, rate: float, **endpoints: Latency) -> Cell:
    found = {**endpoints, "all": Latency(rate, 12.0, 20.0, 30.0)}
    return Cell(variant, workload, clients, found, {"overloaded": 3, "timeout": 1}, 0, 900.0, 1.25, 0.1)


@pytest.fixture
def results() -> Results:
    mixed = {"pos": Latency(5.0, 7.0, 8.0, 9.0), "caption": Latency(5.0, 70.0, 80.0, 90.0)}
    cells = [
        cell(variant, workload, clients, rate, **(mixed if workload == "mix" else {}))
        for variant, rate in (("a", 80.0), ("c", 20.0))
        for workload in ("pos", "mix")
        for clients in (1, 32)
    ]
    ceilings = {name: Ceiling({1: 40.0, 2: 60.0}, {2: 100.0}) for name in ("caption", "pos")}
    titles, alone = {"a": "ours", "c": "a lock"}, [Alone("a", "pos", 10.0, 12.5, 2.0)]
    beside = {"pos": (90.0, 110.0)}
    return Results({"machine": "a toy"}, ceilings, titles, {"a lock": 19.0}, 4000.0, cells, alone, beside)


@pytest.mark.parametrize(
    "line",
    [
        "- machine: a toy",
        "| /pos | running |  | 100.0 | 100.0 |",
        "| mix | 32 | 80.0 | 20.0 |",
        "| pos | 80% of 90 before, 110 after | 4.00 |",
        "| /pos | (a) | 10.0 | 12.5 | 2.0 ms, 20% |",
        "| pos | 32 | 12 / 20 / 30 | 12 / 20 / 30 |",
        "| mix | 32 | /caption | 70 / 80 / 90 | 70 / 80 / 90 |",
        "| pos | 1 | (c) | 3 | 1 timeout | 0 | 900 | 1.25 | 0.10 |",
    ],
)
def test_the_report_has_a_line(results: Results, line: str) -> None:
    assert line in markdown(results).splitlines()


def test_a_load_that_was_not_measured_leaves_its_place_empty(results: Results) -> None:
    results.cells.remove(next(c for c in results.cells if c.variant == "c" and c.workload == "pos" and c.clients == 32))
    assert "| pos | 32 | 12 / 20 / 30 |  |" in markdown(results).splitlines()


def test_a_variant_that_answered_nothing_is_not_divided_by(results: Results) -> None:
    results.cells[:] = [c if c.variant == "a" else cell("c", c.workload, c.clients, 0.0) for c in results.cells]
    assert "| pos | 80% of 90 before, 110 after |  |" in markdown(results).splitlines()


def test_a_run_is_written_as_json_markdown_and_pictures(results: Results, tmp_path: Path) -> None:
    save(results, tmp_path)
    draw(results, tmp_path)
    assert json.loads((tmp_path / "serving.json").read_text())["cells"][0]["endpoints"]["all"]["rate"] == 80.0
    assert (tmp_path / "serving.md").read_text() == markdown(results)
    for name in ("throughput.png", "latency.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(set(picture.convert("L").get_flattened_data())) > 10
