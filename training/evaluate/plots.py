"""Plots of a training run and of its evaluation, as PNG files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from omninet.model.outputs.label.metrics import Confusion
from omninet.training.table import Table
from omninet.training.watch.log import read_log

COLOURS = 64  # palette size: reduces files to a third without a visible difference
POINTS = 200  # maximum points per curve; steps in between are averaged
Point = tuple[float, float]
Curves = Mapping[str, Sequence[Point]]


def plot_run(log: Path, folder: Path) -> list[Path]:
    """Plot losses, learning rates, metrics and staleness over the steps of a run's log, and the load of experts.

    Args:
        folder: for the plots; created if necessary.

    Returns:
        The files; a plot without data is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "losses": plot_losses,
        "rates": plot_rates,
        "measures": plot_measures,
        "staleness": plot_staleness,
        "experts": plot_experts,
    }
    targets = {name: folder / f"{name}.png" for name in plots}
    return [targets[name] for name, plot in plots.items() if plot(log, targets[name])]


def plot_losses(log: Path, target: Path) -> bool:
    """Plot the loss of every task; return False if the log has none."""
    return _plot_curves(_of_tasks(log, "loss"), target, ylabel="loss", yscale="log")


def plot_rates(log: Path, target: Path) -> bool:
    """Plot the learning rate of every task; return False if the log has none."""
    return _plot_curves(_of_tasks(log, "rate"), target, ylabel="learning rate")


def plot_measures(log: Path, target: Path) -> bool:
    """Plot the dev metrics, one panel per task; return False if the log has none."""
    curves: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for entry in read_log(log):
        for name, value in entry.get("measures", {}).items():
            task, _, measure = name.partition("/")
            curves[task][measure].append((entry["step"], value))
    if not curves:
        return False
    figure, axes = _figure(4 * len(curves), 3.5, len(curves))
    for place, (task, measures) in zip(axes.flat, sorted(curves.items()), strict=True):
        for name, points in measures.items():
            place.plot(*zip(*sorted(points), strict=True), label=name, marker=".")
        place.set(title=task, xlabel="step")
        place.legend(fontsize="small")
    _save(figure, target)
    return True


def plot_staleness(log: Path, target: Path) -> bool:
    """Plot a histogram of staleness per task, as shares of its steps; return False if staleness is always 0."""
    curves = _of_tasks(log, "staleness")
    counts = {task: [round(value) for _, value in points] for task, points in curves.items()}
    most = max((max(values) for values in counts.values()), default=0)
    if most:
        figure, axes = _figure(8, 4)
        weights = [[1 / len(values)] * len(values) for values in counts.values()]
        bins = [i - 0.5 for i in range(most + 2)]
        axes.flat[0].hist(list(counts.values()), bins, weights=weights, label=list(counts))
        axes.flat[0].set(xlabel="updates by others in the meantime", ylabel="share of a task's steps")
        axes.flat[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.flat[0].legend()
        _save(figure, target)
    return bool(most)


def plot_experts(log: Path, target: Path) -> bool:
    """Draw the load of each expert by task over the last quarter of the steps; return False without experts.

    Equal loads are in the middle of the scale.
    """
    loads: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    entries = [entry for entry in read_log(log) if entry.get("loads")]
    for entry in entries[len(entries) * 3 // 4 :]:
        for mixture, shares in entry["loads"].items():
            loads[mixture][entry["task"]].append(shares)
    if not loads:
        return False
    figure, axes = _figure(4 * len(loads), 1.5 + 0.3 * max(map(len, loads.values())), len(loads))
    for place, (mixture, tasks) in zip(axes.flat, sorted(loads.items()), strict=True):
        means = [[fmean(each) for each in zip(*steps, strict=True)] for steps in tasks.values()]
        shown = place.imshow(means, vmin=0, vmax=2 / len(means[0]), aspect="auto", cmap="Blues")
        figure.colorbar(shown, ax=place, label="share of the positions")
        place.set(title=mixture, xlabel="expert", yticks=range(len(tasks)), yticklabels=list(tasks))
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, target)
    return True


def _of_tasks(log: Path, name: str) -> Curves:
    """Return the curve of one value of the step records for each task."""
    curves: dict[str, list[Point]] = defaultdict(list)
    for entry in read_log(log):
        if {"step", "task", name} <= entry.keys():
            curves[entry["task"]].append((entry["step"], entry[name]))
    return dict(sorted(curves.items()))


def _plot_curves(curves: Curves, target: Path, **settings: str) -> bool:
    """Plot one line per curve; return False if there is none."""
    figure, axes = _figure(8, 5)
    for name, points in curves.items():
        axes.flat[0].plot(*zip(*_thin(sorted(points)), strict=True), label=name)
    axes.flat[0].set(xlabel="step", **settings)
    if curves:
        axes.flat[0].legend()
        _save(figure, target)
    return bool(curves)


def _thin(points: Sequence[Point]) -> Iterable[Point]:
    width = -(-len(points) // POINTS)
    groups = [points[i : i + width] for i in range(0, len(points), width)]
    return [(fmean(step for step, _ in group), fmean(loss for _, loss in group)) for group in groups]


def plot_confusion(confusion: Confusion, target: Path) -> None:
    """Plot a confusion matrix: counts as numbers, shares of each target class as shades."""
    size = 3 + 0.45 * len(confusion.classes)
    figure, grid = _figure(size, size)
    axes = grid.flat[0]
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
    _save(figure, target)


def plot_table(table: Table, target: Path) -> None:
    """Plot a study's table: a panel per column, the middle of the runs as bars, individual runs as dots."""
    figure, axes = _figure(2 + 2.2 * len(table.columns), 1 + 0.3 * len(table.rows), len(table.columns))
    for place, (column, heading) in zip(axes.flat, table.columns.items(), strict=True):
        for i, row in enumerate(table.rows):
            values = table.values(row, column)
            if values:
                place.barh(i, table.middle(values), color="silver" if row.startswith("paper,") else "tab:blue")
            if len(values) > 1:
                place.plot(values, [i] * len(values), "k.")
        place.set_yticks(range(len(table.rows)), list(table.rows) if place is axes.flat[0] else [])
        place.set(title=heading, ylim=(len(table.rows) - 0.5, -0.5))  # equal limits, also if a panel lacks rows
    _save(figure, target)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    """Return an empty figure of the given size in inches, and its axes; the Agg backend needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    return figure, figure.subplots(1, columns, squeeze=False)


def _save(figure: Figure, target: Path) -> None:
    figure.savefig(target)
    with Image.open(target) as image:
        few = image.convert("RGB").quantize(COLOURS)
    few.save(target, optimize=True)
