"""Messages to and from a process that may have been taken over."""

from __future__ import annotations

import socket
import struct
import sys
import time

LENGTH = struct.Struct("!Q")


class Channel:
    """Bytes over a socket, each message after its length.

    A ``Connection`` of multiprocessing waits for as long as the other end likes, once a message has begun; this one
    waits for nothing longer than it is told.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: bytes, until: float | None = None) -> None:
        """Send a message.

        Args:
            message: of any length.
            until: value of ``time.monotonic`` after which nothing is waited for; None waits for ever.

        Raises:
            TimeoutError: it was not taken in time.
            OSError: the other end is gone.
        """
        self._allow(until)
        self._socket.sendall(LENGTH.pack(len(message)) + message)

    def receive(self, most: int = sys.maxsize, until: float | None = None) -> bytes:
        """The next message.

        Args:
            most: bytes that it may have.
            until: as in ``send``.

        Raises:
            TimeoutError: it was not complete in time.
            OSError: the other end is gone, or its message too long.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, until))
        if length > most:
            raise OSError(f"a message of {length} bytes where at most {most} were due")
        return self._exactly(length, until)

    def fileno(self) -> int:
        """File descriptor of the socket."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Let nothing more be sent or received, at either end."""
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
                raise ConnectionResetError("the other end is gone")
            rest = rest[received:]
        return bytes(message)

    def _allow(self, until: float | None) -> None:
        seconds = None if until is None else until - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise TimeoutError("there is no time left")
        self._socket.settimeout(seconds)


def channels() -> tuple[Channel, Channel]:
    """Two ends that are connected to one another."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)
