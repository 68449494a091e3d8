"""Plots of the queueing measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.cluster.queueing import Point, percentile
from benchmarks.cluster.waiting import QueueResult


def draw(rates: Mapping[int, float], points: Sequence[Point], out: Path) -> None:
    """Plot a replica's throughput by concurrency on the left, and latency by arrival rate on the right."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}):
        figure = Figure((9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(list(rates), list(rates.values()), "o-", color="tab:blue")
        left.set_xscale("log", base=2)
        left.set_xticks(list(rates), map(str, rates))
        left.set_xlabel("captions at once")
        left.set_ylabel("captions a second")
        left.set_ylim(bottom=0)
        come = [point.rate for point in points]
        for part, colour in ((50, "tab:blue"), (99, "tab:orange")):
            measured, paper = ([_of(each, part) for each in found] for found in _apart(points))
            right.plot(come, measured, "o", color=colour, label=f"p{part}, measured")
            right.plot(come, paper, "-", color=colour, label=f"p{part}, on paper")
        right.set_yscale("log")
        right.set_xlabel("captions a second that come")
        right.set_ylabel("ms")
        right.legend(fontsize="small")
        figure.savefig(out, dpi=110)


def _apart(points: Sequence[Point]) -> tuple[list[QueueResult], list[QueueResult]]:
    return [point.measured for point in points], [point.paper for point in points]


def _of(waited: QueueResult, part: int) -> float:
    return percentile(waited.seconds, part)
