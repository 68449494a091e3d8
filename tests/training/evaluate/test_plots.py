"""Plots: what is drawn, and that it is a PNG."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from omninet.model.outputs.label.metrics import Confusion
from omninet.training.evaluate.plots import (
    plot_confusion,
    plot_experts,
    plot_losses,
    plot_measures,
    plot_run,
    plot_staleness,
    plot_table,
)
from omninet.training.table import Table


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[matplotlib.figure.Figure]:
    """The figures that were saved."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def note(figure: matplotlib.figure.Figure, target: Path) -> None:
        figures.append(figure)
        save(figure, target)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", note)
    return figures


def is_png(path: Path) -> bool:
    with Image.open(path) as image:
        return image.format == "PNG"


def write_log(path: Path, entries: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def step(number: int, task: str, loss: float) -> dict[str, object]:
    return {"step": number, "seconds": 0.1 * number, "task": task, "loss": loss, "accuracy": 0.5}


def test_losses_of_each_task(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    entries = [step(2, "vqa", 4.0), {"step": 2, "measures": {}}, step(3, "caption", 5.0), step(1, "vqa", 6.0)]
    log = write_log(tmp_path / "log.jsonl", entries)
    with log.open("a") as file:
        file.write('{"step": 4, "ta')

    assert plot_losses(log, tmp_path / "losses.png")

    (axes,) = drawn[0].axes
    curves = {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in axes.lines}
    assert curves == {"caption": [[3, 5]], "vqa": [[1, 6], [2, 4]]}
    assert is_png(tmp_path / "losses.png")


def test_long_runs_are_averaged(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", [step(i, "pos", 1.0 + i % 2) for i in range(1000)])

    plot_losses(log, tmp_path / "losses.png")

    points = np.asarray(drawn[0].axes[0].lines[0].get_xydata())
    assert len(points) == 200
    assert points[0].tolist() == pytest.approx([2.0, 1.4])


def test_a_log_without_losses_is_no_plot(tmp_path: Path) -> None:
    assert not plot_losses(write_log(tmp_path / "log.jsonl", [{"step": 1}]), tmp_path / "losses.png")
    assert not (tmp_path / "losses.png").exists()


def test_all_plots_of_a_log_are_small_files(tmp_path: Path) -> None:
    entries = [step(i, "pos", 100 / (100 + i)) | {"rate": 0.1 * i, "staleness": i % 3} for i in range(300)]
    log = write_log(tmp_path / "log.jsonl", [*entries, {"step": 5, "measures": {"vqa/accuracy": 5.0}}])

    found = plot_run(log, tmp_path / "some" / "plots")

    assert [path.name for path in found] == ["losses.png", "rates.png", "measures.png", "staleness.png"]
    assert all(is_png(path) for path in found)
    assert max(path.stat().st_size for path in found) < 60_000


def test_the_load_of_experts_is_a_picture(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    """Of eight steps the last two count."""
    entries = [step(i, "pos", 1.0) | {"loads": {"encoder 1": [1.0, 0.0], "decoder 0": [0.5, 0.5]}} for i in range(6)]
    entries += [step(6, "pos", 1.0) | {"loads": {"encoder 1": [0.25, 0.75]}}]
    entries += [step(7, "vqa", 1.0) | {"loads": {"encoder 1": [0.0, 1.0]}}]

    assert plot_experts(write_log(tmp_path / "log.jsonl", entries), tmp_path / "experts.png")

    place, _ = drawn[0].axes  # the second one is the scale
    assert place.get_title() == "encoder 1"
    assert [label.get_text() for label in place.get_yticklabels()] == ["pos", "vqa"]
    assert np.asarray(place.images[0].get_array()).tolist() == [[0.25, 0.75], [0.0, 1.0]]


def test_without_data_there_is_no_plot(tmp_path: Path) -> None:
    entries = [step(1, "pos", 1.0) | {"staleness": 0}]

    assert plot_run(write_log(tmp_path / "log.jsonl", entries), tmp_path / "plots") == [
        tmp_path / "plots" / "losses.png"
    ]


def test_measures_have_a_panel_a_task(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    entries: list[dict[str, object]] = [
        {"step": number, "measures": {"vqa/accuracy": 10.0 * number, "caption/BLEU-4": 1.0, "caption/CIDEr": 2.0}}
        for number in (2, 1)
    ]

    assert plot_measures(write_log(tmp_path / "log.jsonl", entries), tmp_path / "measures.png")

    captions, answers = drawn[0].axes
    assert (captions.get_title(), answers.get_title()) == ("caption", "vqa")
    assert [line.get_label() for line in captions.lines] == ["BLEU-4", "CIDEr"]
    assert np.asarray(answers.lines[0].get_xydata()).tolist() == [[1, 10], [2, 20]]


def test_staleness_is_a_share_of_each_tasks_steps(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    steps = [("pos", 0), ("pos", 0), ("pos", 0), ("pos", 2), ("vqa", 1)]
    entries = [step(i, task, 1.0) | {"staleness": missed} for i, (task, missed) in enumerate(steps)]

    assert plot_staleness(write_log(tmp_path / "log.jsonl", entries), tmp_path / "staleness.png")

    heights = [[bar.get_height() for bar in bars] for bars in drawn[0].axes[0].containers]
    assert heights == [[0.75, 0, 0.25], [0, 1, 0]]


def test_a_table_has_a_panel_a_column_and_a_dot_a_run(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    rows = {"paper": [{"pos": 95.0}], "ours": [{"pos": 90.0, "vqa": 3.0}, {"pos": 94.0}]}

    plot_table(Table({"pos": "POS acc.", "vqa": "VQA acc."}, rows), tmp_path / "table.png")

    tags, answers = drawn[0].axes
    assert (tags.get_title(), answers.get_title()) == ("POS acc.", "VQA acc.")
    assert tags.get_ylim() == answers.get_ylim() == (1.5, -0.5)
    assert [text.get_text() for text in tags.get_yticklabels()] == ["paper", "ours"]
    assert [[bar.get_width() for bar in bars] for bars in tags.containers] == [[95], [92]]
    assert [np.asarray(line.get_xdata()).tolist() for line in tags.lines] == [[90, 94]]
    assert [[bar.get_width() for bar in bars] for bars in answers.containers] == [[3]]
    assert is_png(tmp_path / "table.png")


def test_confusion(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    plot_confusion(Confusion(("run", "wave"), ((3, 1), (0, 0))), tmp_path / "confusion.png")

    (axes,) = drawn[0].axes
    assert np.asarray(axes.images[0].get_array()).tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in axes.texts] == ["3", "1"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["run", "wave"]
    assert is_png(tmp_path / "confusion.png")
