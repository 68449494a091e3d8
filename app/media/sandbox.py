"""Sandboxed processes that decode untrusted media.

A malicious file can make a decoder crash, hang or exhaust memory. This happens in a separate process, which is then
killed and replaced; only the request with the file fails. The process could also be compromised by a file, so its
replies are parsed as JSON and raw bytes and never unpickled.
"""

from __future__ import annotations

import ctypes
import gc
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

from PIL import Image

from omninet.app.processes.messages import BlockingConnection, connected
from omninet.app.processes.start import MEDIA, call_this, context
from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Modality

logger = logging.getLogger(__name__)
HEADER_BYTES = 2**16
START_SECONDS = 60.0
MAX_START_ATTEMPTS = 10
MAX_CRASHES = 3  # crashes after which a file is rejected; the first may be due to the file decoded before
EXIT_WAIT_SECONDS = 1.0
FORK_SERVER_GONE = 255  # exit code that multiprocessing reports if the fork server has ended
PR_SET_PDEATHSIG = 1  # of prctl(2)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGE_BLOCK = 2**23  # bytes of an allocation that is returned to the system as soon as it is freed
KEPT_BYTES = 2**26  # free memory that is kept for smaller allocations
KEPT_PILLOW_BLOCKS = 4  # of 16 MB, in which Pillow keeps pixels


@dataclass(frozen=True)
class Limits:
    """Limits on decoding one file.

    Attributes:
        media: limits on the size of images, videos and recordings.
        seconds: limit on wall-clock time, and on CPU time.
        memory: bytes of address space beyond those in use when the process starts.
    """

    media: MediaLimits
    seconds: float
    memory: int


class ClosedError(Exception):
    """The sandbox has been closed."""


class Sandbox:
    """One sandboxed process, started on first use and replaced after each crash.

    Args:
        modalities: name of each peripheral -> its modality, which decodes files.
        limits: of time, memory and size for each file.

    Attributes:
        processes: number of processes started so far.
    """

    def __init__(self, modalities: Mapping[str, Modality], limits: Limits) -> None:
        self._modalities, self._limits = modalities, limits
        self.processes = 0
        self._process: ForkServerProcess | None = None
        self._connection: BlockingConnection | None = None
        self._closed = False
        self._beginning = threading.Lock()  # held to start a process and to forbid further starts
        self._busy = threading.RLock()  # held while the process is in use

    def start(self) -> None:
        """Start a process and wait until it is ready; does nothing if one is running.

        Raises:
            ClosedError: the sandbox has been closed.
            RuntimeError: the process failed to start ``MAX_START_ATTEMPTS`` times.
        """
        with self._busy:
            for _ in range(MAX_START_ATTEMPTS):
                if self._process is not None and self._process.is_alive():
                    return
                self._terminate()
                if self._spawn():
                    return
        raise RuntimeError(f"the media process failed to start {MAX_START_ATTEMPTS} times; see the log for its errors")

    def _spawn(self) -> bool:
        self._connection, theirs = connected()
        arguments = theirs, self._modalities, self._limits
        with self._beginning:
            if self._closed:
                theirs.close()
                raise ClosedError
            self._process = context().Process(target=_run_worker, args=arguments, name="media", daemon=True)
            self._process.start()
            self.processes += 1
        theirs.close()
        with suppress(OSError):
            return self._connection.receive(HEADER_BYTES, time.monotonic() + START_SECONDS) == b"ready"
        return False

    def decode(self, peripheral: str, form: str, data: bytes) -> Any:
        """Decode a file.

        Args:
            peripheral: name of the peripheral, whose modality decodes the file.
            form: form of the file among those of the modality.
            data: contents of the file.

        Raises:
            InputError: the file cannot be decoded, or not within the limits.
            ClosedError: the sandbox has been closed.
        """
        crashes, until = 0, time.monotonic() + self._limits.seconds
        with self._busy:
            while crashes < MAX_CRASHES and time.monotonic() < until:
                self.start()
                assert self._connection is not None
                try:
                    return self._request(self._connection, peripheral, form, data)
                except InputError:
                    raise
                except TimeoutError:
                    self._terminate()
                    raise too_expensive(f"it took longer than {self._limits.seconds:g} s") from None
                except Exception as error:  # a compromised process can send anything
                    crashes += not self._was_killed()
                    self._terminate()
                    logger.warning("a media process failed and is replaced: %s", error or type(error).__name__)
        raise too_expensive("its decoder crashed")

    def _was_killed(self) -> bool:
        """Whether the process was killed from outside, such as by the OOM killer; the file is not at fault then."""
        assert self._process is not None
        self._process.join(EXIT_WAIT_SECONDS)
        return self._process.exitcode in {-signal.SIGKILL, FORK_SERVER_GONE}

    def _request(self, connection: BlockingConnection, peripheral: str, form: str, data: bytes) -> Any:
        modality = self._modalities[peripheral]
        until = time.monotonic() + self._limits.seconds
        connection.send(json.dumps([peripheral, form]).encode(), until)
        connection.send(data, until)
        header = json.loads(connection.receive(HEADER_BYTES, until))
        if "error" in header:
            raise InputError(header["error"], header["message"], **header["detail"])
        return modality.unpack(
            form, header["found"], connection.receive(modality.most_bytes(self._limits.media), until)
        )

    def close(self) -> None:
        """Kill the process, even while it decodes, and start no other."""
        with self._beginning:
            self._closed = True
            if (process := self._process) is not None:
                process.kill()
        with self._busy:  # the thread that used the process has seen it end
            self._terminate()

    def _terminate(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def too_expensive(why: str) -> InputError:
    """Return the error for a file whose decoding exceeded a limit or crashed."""
    return InputError("media_too_expensive", f"decoding the file was aborted: {why}; send a smaller or an intact file")


def _run_worker(connection: BlockingConnection, modalities: Mapping[str, Modality], limits: Limits) -> None:
    """Run the process: receive requests (JSON, then the file) and send replies (a JSON header, then decoded bytes)."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends the process by closing the connection or SIGKILL
        signal.signal(number, signal.SIG_IGN)
    call_this(MEDIA)
    with suppress(OSError):
        _die_with_fork_server(connection.fileno())
        _return_large_blocks()
        _warm_up(modalities)
        gc.freeze()  # what is needed for ever need not be looked at after each file
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
            del data, found
            gc.collect()  # decoders, which PyAV leaves in cycles of references


def _die_with_fork_server(kept: int) -> None:
    """Have the kernel kill this process when the fork server ends, which ends with the service.

    A hanging decoder would not notice that its channel is closed. All file descriptors except ``kept`` are closed: the
    fork server runs as long as any process holds its alive pipe.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _return_large_blocks() -> None:
    """Have the C library map large allocations by themselves, so that their address space is free after use.

    By default it keeps freed blocks of up to 32 MB for later; frames of many sizes then fill the address space with
    gaps until a file within the limits finds no room. What ordinary photos and clips need stays mapped, because mapping
    it again for each of them takes a third of their time.
    """
    with suppress(AttributeError):  # musl has no mallopt
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    Image.core.set_blocks_max(KEPT_PILLOW_BLOCKS)  # type: ignore[attr-defined]


def _decode(modality: Modality, form: str, data: bytes, limits: MediaLimits) -> tuple[dict[str, Any], bytes | None]:
    try:
        header, found = modality.pack(modality.decode(form, data, limits))
        return {"found": header}, found
    except InputError as error:
        return {"error": error.code, "message": error.message, "detail": error.detail}, None
    except (MemoryError, RuntimeError) as error:  # some libraries raise RuntimeError if they are out of memory
        logger.warning("decoding a file ran out of memory or failed: %s", error)
        aborted = too_expensive("it needs too much memory")
        return {"error": aborted.code, "message": aborted.message, "detail": {}}, None


def _warm_up(modalities: Mapping[str, Modality]) -> None:
    """Decode a tiny file of each form to load all libraries, since no file can be opened after ``_confine``."""
    for modality in modalities.values():
        for name, form in modality.forms.items():
            if form.upload:
                _decode(modality, name, modality.tiny_file(name), MediaLimits())


def _confine(limits: Limits) -> None:
    """Limit the address space, and forbid core dumps and opening files or sockets."""
    with open("/proc/self/statm", encoding="ascii") as sizes:
        now = int(sizes.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + limits.memory, now + limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limit_time(seconds: float) -> None:
    """Limit the CPU time of this process to what it has used so far plus ``seconds``."""
    used = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + seconds), hard))
