"""Tests of messages to and from a process that may be compromised."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from omninet.app.processes.channel import LENGTH, Channel, channels

GONE_S = 30.0  # far longer than any deadline in these tests, even on a busy machine
DRIBBLE_S = 0.02


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = channels()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def hostile() -> Iterator[tuple[Channel, socket.socket]]:
    """Return a channel and the socket at its other end, which closes after ``GONE_S`` with a different error."""
    ours, theirs = socket.socketpair()
    going = threading.Timer(GONE_S, theirs.close)
    going.start()
    yield Channel(ours), theirs
    going.cancel()
    ours.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 0.2


def test_messages_arrive_whole_and_apart(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    messages = [b"", b"a", bytes(range(256)) * 10_000]
    sender = threading.Thread(target=lambda: deque(map(ours.send, messages)))
    sender.start()

    assert [theirs.receive(until=time.monotonic() + 10) for _ in messages] == messages
    sender.join()


@pytest.mark.parametrize("part", [LENGTH.pack(10)[:3], LENGTH.pack(10), LENGTH.pack(10) + b"only"])
def test_incomplete_message_times_out(hostile: tuple[Channel, socket.socket], part: bytes) -> None:
    channel, other = hostile
    other.sendall(part)
    with pytest.raises(TimeoutError):
        channel.receive(until=soon())


def test_trickling_bytes_do_not_extend_the_deadline(hostile: tuple[Channel, socket.socket]) -> None:
    """A deadline that restarted with each byte would let the whole message arrive without an error."""
    channel, other = hostile
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
            channel.receive(until=soon())
    finally:
        ended.set()
        sender.join()


def test_send_times_out_if_the_peer_does_not_read(hostile: tuple[Channel, socket.socket]) -> None:
    channel, _ = hostile
    with pytest.raises(TimeoutError):
        channel.send(bytes(2**24), until=soon())


def test_oversized_message_is_not_allocated(hostile: tuple[Channel, socket.socket]) -> None:
    channel, other = hostile
    other.sendall(LENGTH.pack(2**60))
    with pytest.raises(OSError, match="at most 100"):
        channel.receive(100, until=soon())


def test_closed_connection_is_an_error(hostile: tuple[Channel, socket.socket]) -> None:
    channel, other = hostile
    other.close()
    with pytest.raises(OSError, match="closed the connection"):
        channel.receive(until=soon())
    with pytest.raises(OSError, match="pipe"):
        channel.send(b"hello", until=soon())
