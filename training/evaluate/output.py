"""Write an evaluation report as a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omninet.training.evaluate.answering import Answered
from omninet.training.evaluate.plots import plot_confusion, plot_run
from omninet.training.evaluate.report import Report
from omninet.training.evaluate.results import write_results


def write_report(folder: Path, report: Report, answered: Sequence[Answered], log: Path | None) -> None:
    """Write ``report.json``, ``table.md``, ``results/`` for evaluation servers and ``plots/``.

    Args:
        log: log of the training run, for learning curves.
    """
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    (folder / "table.md").write_text(report.to_markdown(), encoding="utf-8")
    write_results(folder / "results", answered, report.split)
    for measure in report.measures:
        if measure.confusion:
            plot_confusion(
                measure.confusion, plots / f"confusion_{(measure.key or measure.task).replace('/', '_')}.png"
            )
    if log:
        plot_run(log, plots)
