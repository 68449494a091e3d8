"""Asynchronous messages between the server and the model process, which trust each other."""

from __future__ import annotations

import asyncio
import pickle
import socket
from typing import Any

from omninet.app.processes.channel import LENGTH


class Link:
    """The server's end of a connection for pickled, length-prefixed objects; the other end may be a Channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> Link:
        """Create a link over a connected stream socket."""
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
        return pickle.loads(await self._reader.readexactly(length))

    async def close(self) -> None:
        """Send what is queued, then close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # the other end has closed the connection first
            return


def pack(message: Any) -> bytes:
    """Return a pickled object."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
