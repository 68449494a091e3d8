"""The start of the process that has the model. Imports little: the process is started before all else is imported."""

from __future__ import annotations

import socket
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from omninet.app.processes.messages import BlockingConnection, pack, unpack
from omninet.app.processes.start import spawn

if TYPE_CHECKING:
    from omninet.app.settings import Settings


class LaunchedProcess:
    """A process that imports torch and waits for settings, to load their model.

    Attributes:
        end: the socket over which messages are exchanged with it.
    """

    def __init__(self) -> None:
        self.end, theirs = socket.socketpair()
        self.process = spawn("model", run_model, theirs)
        theirs.close()

    def configure(self, settings: Settings) -> None:
        """Send the settings; the process then checks them and loads the model.

        Raises:
            RuntimeError: the process has ended.
        """
        try:
            BlockingConnection(self.end).send(pack(settings))
        except OSError:
            raise ended_early() from None

    def wait_until_checked(self) -> None:
        """Wait until the process has checked the devices and the checkpoint's configuration.

        Raises:
            CheckpointError, DeviceError: say what is wrong with the folder or the devices.
            RuntimeError: the process failed.
        """
        try:
            message = unpack(BlockingConnection(self.end).receive())
        except OSError:
            raise ended_early() from None
        if isinstance(message, Exception):
            raise message

    def close(self) -> None:
        """End the process, if it has not ended."""
        end(self.process)
        self.end.close()


def run_model(end: socket.socket) -> None:
    """Run the process that has the model; only it imports torch, not the service that names this function."""
    from omninet.app.local.process_host import host

    host(end)


def end(process: BaseProcess) -> None:
    """Kill a process, if it is alive, and wait for its end."""
    process.kill()
    process.join()


def ended_early() -> RuntimeError:
    """Return the error of a process that ended before the model was loaded."""
    return RuntimeError("the process of the model ended before the model was loaded")
