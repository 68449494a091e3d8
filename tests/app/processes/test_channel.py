"""Messages to and from a process that may have been taken over."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from omninet.app.processes.channel import LENGTH, Channel, channels

GONE_S = 30.0  # so much longer than anything is waited for here that no machine is too busy
DRIBBLE_S = 0.02


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = channels()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def hostile() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the bare socket at its other end, which closes after a while: an error of another kind."""
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
def test_half_a_message_is_waited_for_no_longer_than_said(hostile: tuple[Channel, socket.socket], part: bytes) -> None:
    channel, other = hostile
    other.sendall(part)
    with pytest.raises(TimeoutError):
        channel.receive(until=soon())


def test_one_byte_at_a_time_wins_no_time(hostile: tuple[Channel, socket.socket]) -> None:
    """With more time for each it would have the whole message before the other end is gone, and no error."""
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


def test_who_does_not_read_is_waited_for_no_longer_than_said(hostile: tuple[Channel, socket.socket]) -> None:
    channel, _ = hostile
    with pytest.raises(TimeoutError):
        channel.send(bytes(2**24), until=soon())


def test_a_message_that_is_too_long_is_not_made_room_for(hostile: tuple[Channel, socket.socket]) -> None:
    channel, other = hostile
    other.sendall(LENGTH.pack(2**60))
    with pytest.raises(OSError, match="at most 100"):
        channel.receive(100, until=soon())


def test_an_end_that_is_gone(hostile: tuple[Channel, socket.socket]) -> None:
    channel, other = hostile
    other.close()
    with pytest.raises(OSError, match="closed the connection"):
        channel.receive(until=soon())
    with pytest.raises(OSError, match="pipe"):
        channel.send(b"hello", until=soon())
