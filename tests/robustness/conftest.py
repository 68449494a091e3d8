"""What the robustness suite shares: one server, how much is tried, and the figures of a long run.

The suite is short; ``make soak`` sets SOAK_MINUTES, which makes it long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.robustness.server import Server, serving

FIGURES = pytest.StashKey[list[tuple[str, str]]]()


@dataclass(frozen=True)
class Scale:
    """How much is tried.

    Attributes:
        examples: of schemathesis for each endpoint.
        mutations: files.
        playlists: share of all combinations.
        kill_seconds: for which processes are killed.
        disconnects: clients that go away.
        clients: at once.
        load_minutes: for which these ask for everything.
    """

    examples: int = 6
    mutations: int = 150
    playlists: float = 0.05
    kill_seconds: float = 2.0
    disconnects: int = 100
    clients: int = 32
    load_minutes: float = 0.05


class Figures:
    """Collects rows of the table that ends a long run."""

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
    """Short, or long if SOAK_MINUTES says so."""
    if minutes := os.environ.get("SOAK_MINUTES"):
        return Scale(300, 2_000, 1.0, 60.0, 1_000, 128, float(minutes))
    return Scale()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test notes what it has measured."""
    return Figures(request.config.stash.setdefault(FIGURES, []))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the bundled model; that it has printed no traceback is seen in the end."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log) as found:
        yield found
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[max(0, text.index("Traceback") - 2000) :][:10_000]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    rows = terminalreporter.config.stash.get(FIGURES, [])
    if rows and os.environ.get("SOAK_MINUTES"):
        terminalreporter.section("robustness")
        width = max(len(what) for what, _ in rows)
        for what, value in rows:
            terminalreporter.line(f"{what:<{width}}  {value}")
