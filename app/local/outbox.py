"""Messages from the model process to the server, sent by several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from omninet.app.local.heartbeat import BEAT_S
from omninet.app.local.model_messages import Health
from omninet.app.processes.messages import BlockingConnection, pack

WATCH_S = 0.1  # interval of health checks of the engine


class Outbox:
    """Sends messages to the server.

    Args:
        connection: to the server.

    Attributes:
        is_alive: whether the engine is healthy; replaced when there is one.
    """

    def __init__(self, connection: BlockingConnection) -> None:
        self.is_alive: Callable[[], bool] = lambda: True
        self._connection = connection
        self._writing = threading.Lock()

    def send(self, message: Any) -> None:
        """Send a message; it is lost if the connection is closed, which the thread that reads detects."""
        packed = pack(message)
        with self._writing, suppress(OSError):
            self._connection.send(packed)

    def start_beats(self) -> None:
        """Send the health of the engine from a thread of its own: at once when it changes, and every ``BEAT_S``.

        While the model runs or is loaded, for however long, this thread goes on.
        """
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        sent, due = True, time.monotonic()
        while True:
            if (alive := self.is_alive()) != sent or time.monotonic() >= due:
                self.send(Health(alive))
                sent, due = alive, time.monotonic() + BEAT_S
            time.sleep(WATCH_S)
