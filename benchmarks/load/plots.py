"""Plots of the load test."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.load.report import BUSY, ENDPOINT, Results, latency

SINGLE = "flood", "all tasks"  # workloads of one number of clients
COLOURS = ("tab:blue", "tab:cyan", "tab:orange", "tab:green", "tab:red")


def draw(results: Results, out: Path) -> None:
    """Write ``throughput.png`` and ``latency.png``."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}):
        _throughput(results).savefig(out / "throughput.png", dpi=110)
        _latency(results).savefig(out / "latency.png", dpi=110)


def _throughput(results: Results) -> Figure:
    workloads = list(dict.fromkeys(workload for workload, _ in results.loads() if workload not in SINGLE))
    figure = Figure((4 * len(workloads), 4), layout="constrained")
    for axes, workload in zip(figure.subplots(1, len(workloads), squeeze=False)[0], workloads, strict=True):
        _lines(axes, results, workload)
    figure.axes[0].set_ylabel("requests/s")
    figure.axes[-1].legend(fontsize="small")
    return figure


def _lines(axes: Axes, results: Results, workload: str) -> None:
    clients = [count for name, count in results.loads() if name == workload]
    for (key, title), colour in zip(results.titles.items(), COLOURS, strict=False):
        rates = [results.rate(key, workload, count) for count in clients]
        axes.plot(clients, rates, "o-", color=colour, label=f"({key}) {title}")
    if workload in ENDPOINT:
        axes.axhline(results.ceilings[ENDPOINT[workload]].best, color="grey", linestyle=":", label="the bare model")
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, map(str, clients))
    axes.set_ylim(bottom=0)
    axes.set_title(workload)
    axes.set_xlabel("clients")


def _latency(results: Results) -> Figure:
    """Plot for the mix, per endpoint and variant, a line from the median to the 99th percentile of the latency."""
    figure = Figure((9, 4), layout="constrained")
    axes = figure.subplots()
    endpoints = list(results.ceilings)
    apart = 0.8 / len(results.titles)
    for place, ((key, title), colour) in enumerate(zip(results.titles.items(), COLOURS, strict=False)):
        for i, endpoint in enumerate(endpoints):
            found = latency(results, key, "mix", endpoint)
            if found and found.p50 and found.p99:
                x, label = i + (place - (len(results.titles) - 1) / 2) * apart, None if i else f"({key}) {title}"
                axes.plot([x, x], [found.p50, found.p99], "_-", color=colour, linewidth=5, markersize=12, label=label)
    axes.set_yscale("log")
    axes.set_xticks(range(len(endpoints)), [f"/{endpoint}" for endpoint in endpoints])
    axes.set_ylabel("ms, from the median to the 99th percentile")
    axes.set_title(f"the mix at {BUSY} clients")
    axes.legend(fontsize="small")
    return figure
