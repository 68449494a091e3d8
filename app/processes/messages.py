"""Messages between processes: frames of bytes over a socket, each after its length.

A process that decodes uploads may have been taken over by a file: of it ``BlockingConnection`` reads bytes alone, no
more of them than expected, and not for longer than allowed. Objects are pickled only where the other end is trusted:
between the service and the process that has the model, and between the deployments of a cluster.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
import sys
import time
from typing import Any

LENGTH = struct.Struct("!Q")


def pack(message: Any) -> bytes:
    """Return an object as bytes."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpack(message: bytes) -> Any:
    """Return the object that ``pack`` made bytes of; the sender must be trusted, since unpickling can run any code."""
    return pickle.loads(message)


class BlockingConnection:
    """An end whose calls block until a deadline.

    A ``Connection`` of multiprocessing blocks for as long as the other end likes, once a message has begun.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: bytes, until: float | None = None) -> None:
        """Send a message.

        Args:
            message: of any length.
            until: deadline, a value of ``time.monotonic``; None waits for ever.

        Raises:
            TimeoutError: the other end did not read the message before the deadline.
            OSError: the other end is closed.
        """
        self._set_timeout(until)
        self._socket.sendall(LENGTH.pack(len(message)) + message)

    def receive(self, most: int = sys.maxsize, until: float | None = None) -> bytes:
        """Return the next message.

        Args:
            most: bytes that it may have.
            until: deadline, see ``send``.

        Raises:
            TimeoutError: the message was not complete before the deadline.
            OSError: the other end is closed, or its message is too long.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, until))
        if length > most:
            raise OSError(f"the other process sent a message of {length} bytes; at most {most} are accepted")
        return self._exactly(length, until)

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """End sending and receiving at both ends."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _exactly(self, count: int, until: float | None) -> bytes:
        message = bytearray(count)
        rest = memoryview(message)
        while rest:
            self._set_timeout(until)
            if not (received := self._socket.recv_into(rest)):
                raise ConnectionResetError("the other process has closed the connection")
            rest = rest[received:]
        return bytes(message)

    def _set_timeout(self, until: float | None) -> None:
        seconds = None if until is None else until - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise TimeoutError("the deadline has passed")
        self._socket.settimeout(seconds)


class AsyncConnection:
    """An end for asyncio that sends and receives objects; the other end must be trusted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> AsyncConnection:
        """Return a connection over a connected socket."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: Any) -> None:
        """Send an object without waiting; it is lost if the other end is closed."""
        packed = pack(message)
        self._writer.write(LENGTH.pack(len(packed)))
        self._writer.write(packed)

    async def receive(self) -> Any:
        """Return the next object.

        Raises:
            EOFError, OSError: the other end is closed.
        """
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        return unpack(await self._reader.readexactly(length))

    async def close(self) -> None:
        """Send what was written, then close this end."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # the other end has closed first
            return


def connected() -> tuple[BlockingConnection, BlockingConnection]:
    """Return two ends that are connected to one another."""
    ours, theirs = socket.socketpair()
    return BlockingConnection(ours), BlockingConnection(theirs)
