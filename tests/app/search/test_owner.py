"""The process that owns an index, and what it survives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omninet.app.processes.start import spawn
from omninet.app.search import process as processes
from omninet.app.search.conditions import IndexQuery
from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.entries import Added
from omninet.app.search.index import IndexInUseError, IndexMismatchError, IndexUnavailableError
from omninet.app.search.owner import PAGE, SOCKET, RemoteIndex, open_index
from omninet.app.search.process import OwnedIndex
from tests.app.search.entries import IDENTITY, entry, new, unit


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[OwnedIndex]:
    index = OwnedIndex(tmp_path / "index")
    yield index
    index.close()


def test_all_methods_answer_as_the_index_itself(owned: OwnedIndex, tmp_path: Path) -> None:
    assert owned.identity() is None
    assert owned.add([new(number) for number in range(3)], IDENTITY) == [
        Added(entry(number).id, created=True) for number in range(3)
    ]
    assert owned.count() == 3
    assert owned.identity() == IDENTITY
    assert owned.get(entry(1).id) == owned.find(entry(1).digest) == entry(1)
    assert owned.thumbnail(entry(1).id) == new(1).thumbnail
    assert owned.search(IndexQuery(1, "best", unit(2, 1)))[0].entry == entry(2)
    assert owned.remove([entry(0).id]) == 1
    assert [each.id for each in owned.entries()] == [entry(1).id, entry(2).id]
    assert owned.size() > 0
    owned.snapshot(tmp_path / "snapshot")
    assert (tmp_path / "snapshot").stat().st_size > 0
    with pytest.raises(IndexMismatchError):
        owned.search(IndexQuery(1, "worst", unit(1)))


def test_entries_come_in_pages(owned: OwnedIndex) -> None:
    owned.add([new(number) for number in range(PAGE + 3)], IDENTITY)

    assert [each.source for each in owned.entries()] == [f"photos/{number}.jpg" for number in range(PAGE + 3)]


def test_a_killed_owner_is_revived(owned: OwnedIndex) -> None:
    owned.add([new(1)], IDENTITY)
    first = owned.pid
    assert first
    os.kill(first, signal.SIGKILL)

    until(lambda: owned.pid not in {first, None})
    until(lambda: _count(owned) == 1)

    assert owned.add([new(2)], IDENTITY)[0].created
    assert owned.search(IndexQuery(1, "best", unit(1, 1)))[0].entry == entry(1)


def _count(index: RemoteIndex) -> int:
    try:
        return int(index.count())
    except IndexUnavailableError:
        return -1


def test_an_owner_that_cannot_be_started_is_tried_again(
    owned: OwnedIndex, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []

    def fail_once(*arguments: object) -> object:
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("no more processes")
        return spawn(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(processes, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(processes, "spawn", fail_once)
    assert owned.pid
    os.kill(owned.pid, signal.SIGKILL)

    until(lambda: len(attempts) == 2 and _count(owned) == 0)

    assert "no more processes; this is tried again until it works" in caplog.text


def test_a_second_server_says_so_and_asks_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processes, "RETRY_SECONDS", 0.05)
    first = OwnedIndex(tmp_path / "index")
    first.add([new(1)], IDENTITY)

    second = OwnedIndex(tmp_path / "index")

    assert f"in use by process {first.pid}; this is tried again until it works" in caplog.text
    assert second.pid is None
    assert second.count() == 1
    first.close()
    until(lambda: second.pid is not None and _count(second) == 1)
    second.close()


def test_a_command_speaks_to_the_owner(owned: OwnedIndex) -> None:
    index = open_index(owned.folder)

    assert isinstance(index, RemoteIndex)
    index.add([new(1)], IDENTITY)
    index.close()
    assert owned.count() == 1


def test_a_command_is_the_owner_otherwise(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index")

    assert isinstance(index, EmbeddedIndex)
    with pytest.raises(IndexInUseError, match=f"in use by process {os.getpid()}"):
        open_index(tmp_path / "index")
    index.close()


def test_the_index_is_closed_with_its_server(tmp_path: Path) -> None:
    owned = OwnedIndex(tmp_path / "index")
    owned.add([new(1)], IDENTITY)
    pid = owned.pid
    assert pid
    assert (tmp_path / "index" / SOCKET).stat().st_mode & 0o777 == 0o600

    owned.close()

    assert not Path(f"/proc/{pid}").exists()
    index = EmbeddedIndex(tmp_path / "index")
    assert index.count() == 1
    index.close()


def test_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    owned = OwnedIndex(folder)

    assert owned.count() == 0
    owned.close()
