"""Launch of the model process.

Imports little, so that ``omninet serve`` can launch the process first; both then import their libraries in parallel.
"""

from __future__ import annotations

import socket
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from omninet.app.processes.messages import BlockingConnection, pack, unpack
from omninet.app.processes.start import spawn

if TYPE_CHECKING:
    from omninet.app.settings import Settings


class LaunchedProcess:
    """A model process that was started; it imports torch, then waits for the settings.

    Attributes:
        process: the child process.
        end: socket to the process.
    """

    def __init__(self) -> None:
        self.end, theirs = socket.socketpair()
        self.process = spawn("model", run_model, theirs)
        theirs.close()

    def configure(self, settings: Settings) -> None:
        """Send the settings; the process checks them, then loads their model.

        Raises:
            RuntimeError: the process has ended.
        """
        try:
            BlockingConnection(self.end).send(pack(settings))
        except OSError:
            raise ended_early() from None

    def load(self, settings: Settings) -> None:
        """Send the settings and wait until the process has checked them. See configure and wait_until_checked."""
        self.configure(settings)
        self.wait_until_checked()

    def wait_until_checked(self) -> None:
        """Wait until the process has checked the devices and the checkpoint's configuration.

        Raises:
            CheckpointError: the checkpoint cannot be loaded.
            DeviceError: a device cannot be used.
            RuntimeError: the process failed for another reason, or died.
        """
        try:
            message = unpack(BlockingConnection(self.end).receive())
        except OSError:
            raise ended_early() from None
        if isinstance(message, Exception):
            raise message

    def close(self) -> None:
        """Kill the process and close the socket."""
        end(self.process)
        self.end.close()


def run_model(end: socket.socket) -> None:
    """Run the model process. The server, which imports this module, must not import torch, hence the import here."""
    from omninet.app.local.process_host import host

    host(end)


def end(process: BaseProcess) -> None:
    """Kill a process and wait for its end."""
    process.kill()
    process.join()


def ended_early() -> RuntimeError:
    """Return the error of a process that ended before the model was loaded."""
    return RuntimeError("the model process ended before the model was loaded; see the log for its error")
