"""Pictures of a run and of its mistakes, as PNG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from training.metrics.labels import Confusion
from training.watch.log import read_log

POINTS = 200  # of a curve; the steps between two are averaged


def plot_losses(log: Path, target: Path) -> bool:
    """Loss of every task over the steps of a run; False where the log has none to show."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for entry in read_log(log):
        if {"step", "task", "loss"} <= entry.keys():
            curves[entry["task"]].append((entry["step"], entry["loss"]))
    figure, axes = _figure(8, 5)
    for task, points in sorted(curves.items()):
        steps, losses = zip(*_thin(sorted(points)), strict=True)
        axes.plot(steps, losses, label=task)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    if curves:
        axes.legend()
        figure.savefig(target)
    return bool(curves)


def _thin(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    width = -(-len(points) // POINTS)
    groups = [points[i : i + width] for i in range(0, len(points), width)]
    return [(fmean(step for step, _ in group), fmean(loss for _, loss in group)) for group in groups]


def plot_confusion(confusion: Confusion, target: Path) -> None:
    """Counts as numbers, shares of each wanted class as shades."""
    size = 3 + 0.45 * len(confusion.classes)
    figure, axes = _figure(size, size)
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion.counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(confusion.classes))
    axes.set_xticks(places, confusion.classes, rotation=90)
    axes.set_yticks(places, confusion.classes)
    axes.set(xlabel="given", ylabel="wanted")
    for i, row in enumerate(confusion.counts):
        for j, count in enumerate(row):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", color="white" if shares[i][j] > 0.5 else "black")
    figure.savefig(target)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    """An empty figure of so many inches; without pyplot it needs no screen and draws by Agg."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    return figure, figure.subplots()
