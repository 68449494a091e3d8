"""Processes that decode untrusted media.

A decoder may crash, hang or eat memory. It does so in a process that is then killed and replaced, which costs the
file's sender an error and nobody else anything. What comes back is read as JSON and bytes: a process that was taken
over by a file must not be believed further than that.
"""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import resource
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any

from omninet.app.processes.messages import BlockingConnection, connected
from omninet.app.processes.start import MEDIA, call_this, context
from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Modality

logger = logging.getLogger(__name__)
HEADER_BYTES = 2**16
START_SECONDS = 60.0
STARTS = 10  # that may fail in a row: no file is to blame for that
CRASHES = 3  # of processes that a file is to blame for; one may have been damaged by the file before
DYING_SECONDS = 1.0
FORK_SERVER_GONE = 255  # what multiprocessing takes for the exit code then
PR_SET_PDEATHSIG = 1  # of prctl(2)


@dataclass(frozen=True)
class Limits:
    """What decoding one file may cost.

    Attributes:
        seconds: wall time, and time of a processor.
        memory: bytes beyond those that the process has to begin with.
    """

    media: MediaLimits
    seconds: float
    memory: int


class ClosedError(Exception):
    """The sandbox has been closed: it decodes nothing any more."""


class Sandbox:
    """One process, started at the first file and after each that it did not survive.

    Args:
        modalities: name of each peripheral -> what decodes for it.

    Attributes:
        processes: that it has had so far.
    """

    def __init__(self, modalities: Mapping[str, Modality], limits: Limits) -> None:
        self._modalities, self._limits = modalities, limits
        self.processes = 0
        self._process: ForkServerProcess | None = None
        self._connection: BlockingConnection | None = None
        self._closed = False
        self._beginning = threading.Lock()  # held while a process is made, or forbidden to be made
        self._busy = threading.RLock()  # held by whoever uses the process

    def start(self) -> None:
        """Have a process that is ready; without effect where there is one.

        Raises:
            ClosedError: it has been, meanwhile perhaps.
        """
        with self._busy:
            for _ in range(STARTS):
                if self._process is not None and self._process.is_alive():
                    return
                self._end()
                if self._begin():
                    return
        raise RuntimeError("a process for media does not start")

    def _begin(self) -> bool:
        self._connection, theirs = connected()
        arguments = theirs, self._modalities, self._limits
        with self._beginning:
            if self._closed:
                theirs.close()
                raise ClosedError
            self._process = context().Process(target=_work, args=arguments, name="media", daemon=True)
            self._process.start()
            self.processes += 1
        theirs.close()
        with suppress(OSError):
            return self._connection.receive(HEADER_BYTES, time.monotonic() + START_SECONDS) == b"ready"
        return False

    def decode(self, peripheral: str, form: str, data: bytes) -> Any:
        """What is in a file, as the modality of a peripheral decodes it.

        Args:
            form: that the file has, of its modality's.

        Raises:
            InputError: the file cannot be decoded, or not within the limits.
            ClosedError: the sandbox has been, meanwhile perhaps.
        """
        crashes, until = 0, time.monotonic() + self._limits.seconds
        with self._busy:
            while crashes < CRASHES and time.monotonic() < until:
                self.start()
                assert self._connection is not None
                try:
                    return self._ask(self._connection, peripheral, form, data)
                except InputError:
                    raise
                except TimeoutError:
                    self._end()
                    raise too_expensive(f"it took longer than {self._limits.seconds:g} s") from None
                except Exception as error:  # whatever it was made to send
                    crashes += not self._was_killed()
                    self._end()
                    logger.warning("a process for media died: %s", error or type(error).__name__)
        raise too_expensive("its decoder crashed")

    def _was_killed(self) -> bool:
        """Whether the process was ended from outside, for want of memory perhaps: no file can be blamed for that."""
        assert self._process is not None
        self._process.join(DYING_SECONDS)
        return self._process.exitcode in {-signal.SIGKILL, FORK_SERVER_GONE}

    def _ask(self, connection: BlockingConnection, peripheral: str, form: str, data: bytes) -> Any:
        modality = self._modalities[peripheral]
        until = time.monotonic() + self._limits.seconds
        connection.send(json.dumps([peripheral, form]).encode(), until)
        connection.send(data, until)
        header = json.loads(connection.receive(HEADER_BYTES, until))
        if "error" in header:
            raise InputError(header["error"], header["message"], **header["detail"])
        return modality.unpack(form, header["found"], connection.receive(modality.most_bytes, until))

    def close(self) -> None:
        """End the process for good, whatever it is doing."""
        with self._beginning:
            self._closed = True
            if (process := self._process) is not None:
                process.kill()
        with self._busy:  # whoever waited for the process has noticed
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def too_expensive(why: str) -> InputError:
    """A file that was given up."""
    return InputError("media_too_expensive", f"decoding the file was given up: {why}; send a smaller or an intact one")


def _work(connection: BlockingConnection, modalities: Mapping[str, Modality], limits: Limits) -> None:
    """The body of the process: what a file is and the file come in, a header and the decoded bytes go out."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends it, by closing the channel or for good
        signal.signal(number, signal.SIG_IGN)
    call_this(MEDIA)
    with suppress(OSError):
        _die_with_the_service(connection.fileno())
        _warm_up(modalities)
        _confine(limits)
        connection.send(b"ready")
        while True:
            peripheral, form = json.loads(connection.receive())
            data = connection.receive()
            _limit_time(limits.seconds)
            header, found = _decode(modalities[peripheral], form, data, limits.media)
            connection.send(json.dumps(header).encode())
            if found is not None:
                connection.send(found)


def _die_with_the_service(kept: int) -> None:
    """Be killed as soon as the fork server ends, which it does with the service; a process that hangs hears of no end.

    For that nothing but one descriptor is kept open: as long as anybody has the pipe by which the fork server sees who
    needs it, it does not end.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _decode(modality: Modality, form: str, data: bytes, limits: MediaLimits) -> tuple[dict[str, Any], bytes | None]:
    try:
        header, found = modality.pack(modality.decode(form, data, limits))
        return {"found": header}, found
    except InputError as error:
        return {"error": error.code, "message": error.message, "detail": error.detail}, None
    except (MemoryError, RuntimeError) as error:  # some libraries raise RuntimeError where memory is short
        logger.warning("a file could not be decoded: %s", error)
        given_up = too_expensive("it needs too much memory")
        return {"error": given_up.code, "message": given_up.message, "detail": {}}, None


def _warm_up(modalities: Mapping[str, Modality]) -> None:
    """Load what is loaded late: afterwards no file can be opened any more."""
    for modality in modalities.values():
        for name, form in modality.forms.items():
            if form.upload:
                _decode(modality, name, modality.tiny_file(name), MediaLimits())


def _confine(limits: Limits) -> None:
    """Take away what decoding does not need: memory without end, and files or sockets to open."""
    with open("/proc/self/statm", encoding="ascii") as sizes:
        now = int(sizes.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + limits.memory, now + limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limit_time(seconds: float) -> None:
    """Let the processor's time of this process end with this file's."""
    used = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + seconds), hard))
