"""Fixtures of the robustness suite: one server, the scale of the tests, and the summary table of a long run.

The suite is short by default; ``make soak`` sets SOAK_MINUTES for a long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.robustness.server import Server, serving

SUMMARY = pytest.StashKey[list[tuple[str, str]]]()


@dataclass(frozen=True)
class Scale:
    """Scale of the tests.

    Attributes:
        examples: examples of schemathesis for each endpoint.
        mutations: number of damaged files.
        playlists: fraction of all combinations to test.
        kill_seconds: time during which processes are killed, in seconds.
        disconnects: number of clients that disconnect.
        clients: number of concurrent clients.
        load_minutes: duration of the load test, in minutes.
    """

    examples: int = 6
    mutations: int = 150
    playlists: float = 0.05
    kill_seconds: float = 2.0
    disconnects: int = 100
    clients: int = 32
    load_minutes: float = 0.05


class SummaryTable:
    """Collects the rows of the summary table of a long run."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self._rows = rows

    def note(self, what: str, value: str) -> None:
        """Add a row."""
        self._rows.append((what, value))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def scale() -> Scale:
    """Return the scale of the run: short, or long if SOAK_MINUTES is set."""
    if minutes := os.environ.get("SOAK_MINUTES"):
        return Scale(300, 2_000, 1.0, 60.0, 1_000, 128, float(minutes))
    return Scale()


@pytest.fixture
def summary(request: pytest.FixtureRequest) -> SummaryTable:
    """Return the collector for the measurements of a test."""
    return SummaryTable(request.config.stash.setdefault(SUMMARY, []))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of the bundled model; check at the end that it has logged no traceback."""
    folder = tmp_path_factory.mktemp("server")
    log = folder / "log"
    with serving(log, index=folder / "index") as found:
        yield found
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[max(0, text.index("Traceback") - 2000) :][:10_000]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summary table."""
    rows = terminalreporter.config.stash.get(SUMMARY, [])
    if rows and os.environ.get("SOAK_MINUTES"):
        terminalreporter.section("robustness")
        width = max(len(what) for what, _ in rows)
        for what, value in rows:
            terminalreporter.line(f"{what:<{width}}  {value}")
