"""Blocking messages to and from a process that may be compromised."""

from __future__ import annotations

import socket
import struct
import sys
import time

LENGTH = struct.Struct("!Q")


class Channel:
    """Length-prefixed messages over a socket, with deadlines.

    Unlike multiprocessing's ``Connection``, it enforces the deadline also in the middle of a message, so that a
    compromised peer cannot block it.

    Args:
        end: connected stream socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: bytes, until: float | None = None) -> None:
        """Send a message.

        Args:
            message: bytes of any length.
            until: deadline in seconds of ``time.monotonic``; None for no deadline.

        Raises:
            TimeoutError: the message was not accepted in time.
            OSError: the connection is closed.
        """
        self._allow(until)
        self._socket.sendall(LENGTH.pack(len(message)) + message)

    def receive(self, most: int = sys.maxsize, until: float | None = None) -> bytes:
        """Receive the next message.

        Args:
            most: maximum length in bytes.
            until: deadline in seconds of ``time.monotonic``; None for no deadline.

        Raises:
            TimeoutError: the message was not complete in time.
            OSError: the connection is closed, or the message is too long.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, until))
        if length > most:
            raise OSError(f"received a message of {length} bytes; at most {most} were expected")
        return self._exactly(length, until)

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Shut down both directions of the connection."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _exactly(self, count: int, until: float | None) -> bytes:
        message = bytearray(count)
        rest = memoryview(message)
        while rest:
            self._allow(until)
            if not (received := self._socket.recv_into(rest)):
                raise ConnectionResetError("the other end has closed the connection")
            rest = rest[received:]
        return bytes(message)

    def _allow(self, until: float | None) -> None:
        seconds = None if until is None else until - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise TimeoutError("the deadline of the message has passed")
        self._socket.settimeout(seconds)


def channels() -> tuple[Channel, Channel]:
    """Return two connected channels."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)
