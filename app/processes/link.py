"""Messages between the server and the process that has the model: whoever is at the other end is trusted."""

from __future__ import annotations

import asyncio
import pickle
import socket
from typing import Any

from omninet.app.processes.channel import LENGTH


class Link:
    """The server's end; any objects go over it, each after its length. The other end may be a Channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> Link:
        """The end that this process has."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: Any) -> None:
        """Send an object; one that nobody receives any more is lost."""
        packed = pack(message)
        self._writer.write(LENGTH.pack(len(packed)))
        self._writer.write(packed)

    async def receive(self) -> Any:
        """The next object.

        Raises:
            EOFError, OSError: the other end is gone.
        """
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        return pickle.loads(await self._reader.readexactly(length))

    async def close(self) -> None:
        """Close it, after what was sent has gone."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # the other end was quicker
            return


def pack(message: Any) -> bytes:
    """An object as bytes."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
