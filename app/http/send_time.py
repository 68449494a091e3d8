"""Time-out for sending: the bytes of a response that the client has not accepted yet."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

DISCARD = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds


class SendTime:
    """Closes a connection whose client does not read what was sent to it.

    Small responses fit into the buffers of the operating system; this watches the rest, which is kept in memory here.

    Args:
        transport: of the connection.
        seconds: time-out.
        on_expired: called when the time-out has expired with bytes left, just before the connection is closed.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float, on_expired: Callable[[], None]) -> None:
        self._transport, self._seconds, self._on_expired = transport, seconds, on_expired
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the time-out if bytes are left; restart it if it is running."""
        self.stop()
        if self._transport.get_write_buffer_size():
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def stop(self) -> None:
        """Stop the time-out."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if self._transport.get_write_buffer_size():
            self._on_expired()
            # Otherwise the operating system would go on offering to the client what it has buffered.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DISCARD)
            self._transport.abort()  # close() would wait for the client
