"""Tests of messages between processes, one of which may be compromised."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

from omninet.app.engine.result import Result
from omninet.app.errors import ServiceError, overloaded
from omninet.app.processes.messages import LENGTH, AsyncConnection, BlockingConnection, connected, pack, unpack
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.job import Job
from tests.app.engine.test_replica import REQUESTS

GONE_S = 30.0  # far longer than any deadline in these tests, even on a busy machine
DRIBBLE_S = 0.02


@pytest.fixture
def ends() -> Iterator[tuple[BlockingConnection, BlockingConnection]]:
    ours, theirs = connected()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def hostile() -> Iterator[tuple[BlockingConnection, socket.socket]]:
    """Return a connection and the socket at its other end, which closes after ``GONE_S`` with a different error."""
    ours, theirs = socket.socketpair()
    going = threading.Timer(GONE_S, theirs.close)
    going.start()
    yield BlockingConnection(ours), theirs
    going.cancel()
    ours.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 0.2


def test_messages_keep_their_boundaries(ends: tuple[BlockingConnection, BlockingConnection]) -> None:
    ours, theirs = ends
    messages = [b"", b"a", bytes(range(256)) * 10_000]
    sender = threading.Thread(target=lambda: deque(map(ours.send, messages)))
    sender.start()

    assert [theirs.receive(until=time.monotonic() + 10) for _ in messages] == messages
    sender.join()


@pytest.mark.parametrize("part", [LENGTH.pack(10)[:3], LENGTH.pack(10), LENGTH.pack(10) + b"only"])
def test_incomplete_message_times_out(hostile: tuple[BlockingConnection, socket.socket], part: bytes) -> None:
    connection, other = hostile
    other.sendall(part)
    with pytest.raises(TimeoutError):
        connection.receive(until=soon())


def test_slow_sender_cannot_extend_the_deadline(hostile: tuple[BlockingConnection, socket.socket]) -> None:
    """A deadline that restarted with each byte would let the whole message arrive without an error."""
    connection, other = hostile
    ended = threading.Event()
    length = int(GONE_S / DRIBBLE_S / 3)

    def dribble() -> None:
        other.sendall(LENGTH.pack(length))
        for _ in range(length):
            if ended.wait(DRIBBLE_S):
                return
            other.sendall(b"x")

    sender = threading.Thread(target=dribble)
    sender.start()
    try:
        with pytest.raises(TimeoutError):
            connection.receive(until=soon())
    finally:
        ended.set()
        sender.join()


def test_sending_to_a_stalled_reader_times_out(hostile: tuple[BlockingConnection, socket.socket]) -> None:
    connection, _ = hostile
    with pytest.raises(TimeoutError):
        connection.send(bytes(2**24), until=soon())


def test_oversized_message_is_rejected_without_allocation(hostile: tuple[BlockingConnection, socket.socket]) -> None:
    connection, other = hostile
    other.sendall(LENGTH.pack(2**60))
    with pytest.raises(OSError, match="at most 100"):
        connection.receive(100, until=soon())


def test_closed_peer_is_an_error(hostile: tuple[BlockingConnection, socket.socket]) -> None:
    connection, other = hostile
    other.close()
    with pytest.raises(OSError, match="closed"):
        connection.receive(until=soon())
    with pytest.raises(OSError, match="pipe"):
        connection.send(b"hello", until=soon())


@pytest.fixture
async def links() -> AsyncIterator[tuple[AsyncConnection, AsyncConnection]]:
    one, other = [await AsyncConnection.over(end) for end in socket.socketpair()]
    yield one, other
    await one.close()
    await other.close()


@pytest.mark.anyio
async def test_jobs_survive_pickling(links: tuple[AsyncConnection, AsyncConnection], toy_predictor: object) -> None:
    jobs: list[Job] = [toy_predictor.prepare(task, **inputs) for task, inputs in REQUESTS]  # type: ignore[attr-defined]
    for job in jobs:
        links[0].send(job)
    for sent in jobs:
        got = await links[1].receive()
        assert (got.task, got.sentences, got.notes) == (sent.task, sent.sentences, sent.notes)
        for row, expected in zip(got.rows, sent.rows, strict=True):
            assert (row.goal, row.shape) == (expected.goal, expected.shape)
            for (name, _, value, _), (_, _, other, _) in zip(row.inputs, expected.inputs, strict=True):
                if name == "vision":
                    assert np.array_equal(value, other)
                else:
                    assert all(np.array_equal(*pair) for pair in zip(value, other, strict=True))


@pytest.mark.anyio
async def test_results_and_errors_survive_pickling(links: tuple[AsyncConnection, AsyncConnection]) -> None:
    row = Decoded([1, 2], [-0.1, -0.2], [(1, -0.1)], [Hypothesis((1,), (-0.3,))], encode_ms=3.0, decode_ms=4.0)
    result = Result([row], 3.0, 4.0, 2)
    links[1].send(result)
    links[1].send(ServiceError(413, "too_much", "less would do", {"Retry-After": "1"}, limit=3))
    links[1].send(overloaded("wait"))
    assert await links[0].receive() == result
    first, second = await links[0].receive(), await links[0].receive()
    assert (first.status_code, first.code, first.message) == (413, "too_much", "less would do")
    assert (first.headers, first.details) == ({"Retry-After": "1"}, {"limit": 3})
    assert (second.code, second.details) == ("overloaded", {})


@pytest.mark.anyio
async def test_large_objects_arrive(links: tuple[AsyncConnection, AsyncConnection]) -> None:
    large = np.arange(5_000_000)
    links[0].send(large)
    assert np.array_equal(await asyncio.wait_for(links[1].receive(), 10), large)


@pytest.mark.anyio
async def test_closed_connection_is_noticed(links: tuple[AsyncConnection, AsyncConnection]) -> None:
    links[0].send("last words")
    await links[0].close()
    assert await links[1].receive() == "last words"
    with pytest.raises(EOFError):
        await links[1].receive()
    links[1].send("not received")


@pytest.mark.anyio
async def test_blocking_and_async_connections_interoperate() -> None:
    ours, theirs = socket.socketpair()
    one, other = BlockingConnection(ours), await AsyncConnection.over(theirs)
    one.send(pack({"frames": 3}))
    assert await other.receive() == {"frames": 3}
    other.send((1, "two"))
    assert unpack(await asyncio.to_thread(one.receive)) == (1, "two")
    one.close()
    await other.close()
