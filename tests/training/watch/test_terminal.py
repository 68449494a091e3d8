"""The live table, and the lines that stand in for it."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Iterator

import pytest
from rich.console import Console

from omninet.training.watch import table
from omninet.training.watch.lines import Lines
from omninet.training.watch.table import LiveTable
from tests.training.watch.conftest import a_schedule, a_step, an_evaluation


@pytest.fixture
def console() -> Console:
    """A terminal that keeps what it is given."""
    return Console(file=io.StringIO(), force_terminal=True, width=80, _environ={})


@pytest.fixture
def live(console: Console) -> Iterator[LiveTable]:
    """A table of two tasks, one of them new."""
    shown = LiveTable(1000, {"vqa": 98, "pos": 0}, console)
    yield shown
    shown.close()


def text_of(live: LiveTable) -> list[str]:
    """Return the lines of the current table as plain text."""
    plain = Console(file=io.StringIO(), width=80, record=True)
    plain.print(live.render())
    return plain.export_text().splitlines()


def test_a_row_a_task(live: LiveTable) -> None:
    for number in range(99, 104):
        live.step(
            a_step(number, seconds=2.0 * number, staleness=number % 2, skipped=4, loss=1.5 if number < 101 else 2)
        )

    lines = text_of(live)

    assert lines[0] == "step 103/1,000 (10%)   elapsed 0:03:26   left 0:29:54"
    head, vqa, pos = (line.split() for line in lines[1:4])
    assert head == ["task", *table.COLUMNS]
    assert vqa == ["vqa", "103", "1.800", "50.0%", "1.00e-03", "4.0", "0.50", "12%", "1", "4"]
    assert pos == ["pos", "0"]


def test_unknown_values_are_question_marks(live: LiveTable) -> None:
    live.step(a_step(1))

    lines = text_of(live)

    assert lines[0].endswith("left ?")
    assert lines[2].split()[5:8] == ["?", "?", "?"]


def test_eighty_columns_are_enough(console: Console) -> None:
    live = LiveTable(100_000, {"activity": 99_990, "caption": 0}, console)
    for number in range(10):
        live.step(a_step(99_991 + number, task="activity", samples=999, seconds=number / 9, staleness=12, skipped=1234))
    live.close()

    row = "activity 100,000 2.000 50.0% 1.00e-03 8991.0 9.00 225% 12 1,234"
    assert text_of(live)[2].split() == row.split()


def test_the_last_messages_are_below(live: LiveTable) -> None:
    for number in range(7):
        live.message(f"message [{number}]")
    live.evaluation(an_evaluation(20))

    below = text_of(live)[-table.MESSAGES :]

    assert [line.split(" ", 1)[1].rstrip() for line in below] == [
        "message [3]",
        "message [4]",
        "message [5]",
        "message [6]",
        "evaluation after step 20: caption/BLEU-4 12.35, vqa/accuracy 50",
    ]


def test_stopped_tasks_are_named_below_the_table(live: LiveTable) -> None:
    assert not any("stop-and-go" in line for line in text_of(live))

    shown = []
    for task, stopped in (("vqa", False), ("vqa", True), ("pos", True), ("vqa", False)):
        live.schedule(a_schedule(1, task, stopped))
        shown.append(text_of(live)[-1].rstrip())

    names = ("no task", "vqa", "vqa, pos", "pos")
    assert shown == [f"stop-and-go: {name} stopped" for name in names]


def test_the_load_of_experts_is_drawn(live: LiveTable) -> None:
    live.step(a_step(1, loads={"encoder 1": [0.5, 0.0, 0.25, 0.25], "decoder 0": [1.0, 0.0]}))
    live.step(a_step(2, loads={"encoder 1": [0.5, 0.0, 0.25, 0.25], "decoder 0": [0.0, 1.0]}))
    live.step(a_step(3, task="pos"))

    assert text_of(live)[-1].rstrip() == "experts of vqa: encoder 1 █▁▅▅  decoder 0 ▅▅"


def test_the_table_is_drawn_periodically(console: Console, live: LiveTable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(console.file, io.StringIO)
    now = time.monotonic() + table.REFRESH_S
    monkeypatch.setattr(time, "monotonic", lambda: now)
    live.step(a_step(99))
    assert "step 99/1,000" in console.file.getvalue()
    live.step(a_step(100))
    assert "step 100/1,000" not in console.file.getvalue()
    now += table.REFRESH_S
    live.step(a_step(101))
    assert "step 101/1,000" in console.file.getvalue()


def test_the_end_is_drawn(console: Console, live: LiveTable) -> None:
    assert isinstance(console.file, io.StringIO)
    for number in range(1, 1001):
        live.step(a_step(number))
    live.close()

    assert "step 1,000/1,000 (100%)" in console.file.getvalue()


def test_log_messages_are_printed_above_the_table(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(console.file, io.StringIO)
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    stdout, stderr = sys.stdout, sys.stderr

    live = LiveTable(10, {}, console)
    logging.getLogger("other").warning("a word from elsewhere")
    assert sys.stdout is stdout  # results go where they are sent
    live.close()

    assert "a word from elsewhere" in console.file.getvalue()
    assert handler.stream is sys.stderr is stderr


def test_progress_is_logged_every_half_minute_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines = Lines(600, {"vqa": 100})
    for number in range(101, 172):
        lines.step(a_step(number, task="pos" if number % 2 else "vqa", loss=float(number % 2)))
    lines.close()

    assert caplog.messages == [
        "step 131/600, 0:02:11 elapsed, 0:07:49 left: pos loss 1.000, accuracy 50.0%; vqa loss 0.000, accuracy 50.0%",
        "step 161/600, 0:02:41 elapsed, 0:07:19 left: pos loss 1.000, accuracy 50.0%; vqa loss 0.000, accuracy 50.0%",
        "step 171/600, 0:02:51 elapsed, 0:07:09 left: pos loss 1.000, accuracy 50.0%; vqa loss 0.000, accuracy 50.0%",
    ]


def test_messages_are_logged_and_no_progress_without_steps(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines = Lines(600, {})
    lines.message("100% of it")
    lines.evaluation(an_evaluation(3))
    lines.close()

    assert caplog.messages == ["100% of it", "evaluation after step 3: caption/BLEU-4 12.35, vqa/accuracy 50"]
