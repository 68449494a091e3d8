"""Messages between processes over a socket: an 8-byte length, then as many bytes.

A media process may be compromised by an upload. The server therefore exchanges bytes and JSON with it, with a maximum
length and a deadline. Pickled objects are exchanged between processes that trust each other only: the server and the
model process, and the deployments of a cluster.
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
    """Return a pickled object."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpack(message: bytes) -> Any:
    """Return an unpickled object. Unpickling can run any code, so the sender must be trusted."""
    return pickle.loads(message)


class BlockingConnection:
    """Blocking messages of bytes, with deadlines.

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
        self._set_timeout(until)
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
            self._set_timeout(until)
            if not (received := self._socket.recv_into(rest)):
                raise ConnectionResetError("the other end has closed the connection")
            rest = rest[received:]
        return bytes(message)

    def _set_timeout(self, until: float | None) -> None:
        seconds = None if until is None else until - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise TimeoutError("the deadline of the message has passed")
        self._socket.settimeout(seconds)


class AsyncConnection:
    """Asynchronous messages of pickled objects; the other end must be trusted and may be a BlockingConnection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> AsyncConnection:
        """Create a connection over a connected stream socket."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: Any) -> None:
        """Queue an object for sending without waiting; it is lost if the connection is closed."""
        packed = pack(message)
        self._writer.write(LENGTH.pack(len(packed)))
        self._writer.write(packed)

    async def receive(self) -> Any:
        """Receive the next object.

        Raises:
            EOFError, OSError: the connection is closed.
        """
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        return unpack(await self._reader.readexactly(length))

    async def close(self) -> None:
        """Send what is queued, then close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # the other end has closed the connection first
            return


def connected() -> tuple[BlockingConnection, BlockingConnection]:
    """Return two connections that are connected to each other."""
    ours, theirs = socket.socketpair()
    return BlockingConnection(ours), BlockingConnection(theirs)
