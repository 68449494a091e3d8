"""The model process: an engine that is controlled over a channel."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from omninet.app.engine.engine import Engine, Result
from omninet.app.engine.loading import load_engine
from omninet.app.engine.work import Work
from omninet.app.errors import ServiceError
from omninet.app.processes.channel import Channel
from omninet.app.processes.link import pack
from omninet.app.processes.start import MODEL, call_this
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.model.decoding.hypotheses import Hypothesis
from omninet.model.errors import OmniNetError
from omninet.model.fast.precision import Agreement
from omninet.model.job import Job
from omninet.model.processor import Processor

logger = logging.getLogger(__name__)
WATCH_S = 0.1  # interval of health checks of the engine


@dataclass(frozen=True)
class Loaded:
    """First message of the process: the model without its network.

    Attributes:
        processor: preprocessing and postprocessing.
        devices: of the replicas.
        precision: numeric precision.
        agreement: comparison with float32; None in float32.
    """

    processor: Processor
    devices: list[str]
    precision: str
    agreement: Agreement | None


@dataclass(frozen=True)
class Ask:
    """A request to the process.

    Attributes:
        number: identifies the request; its Reply has the same number.
        job: rows to run; None requests the metrics.
        watched: whether to send Settled messages before the Reply.
    """

    number: int
    job: Job | None
    watched: bool = False


@dataclass(frozen=True)
class Drop:
    """Cancellation of the Ask with this number."""

    number: int


@dataclass(frozen=True)
class Stop:
    """Request to complete the accepted jobs, then end."""


@dataclass(frozen=True)
class Reply:
    """Result or error of the Ask with this number."""

    number: int
    result: Any


@dataclass(frozen=True)
class Settled:
    """Final prefix of the outputs of a watched Ask; sent each time it grows."""

    number: int
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Health:
    """Health of the engine; sent on every change."""

    is_alive: bool


def host(end: socket.socket, settings: Settings) -> None:
    """Run the process: load the model and serve requests until a Stop message or the end of the connection.

    Args:
        end: socket to the server.
        settings: of the service.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the server handles signals and sends Stop
        signal.signal(number, signal.SIG_IGN)
    call_this(MODEL)
    configure_logs()
    code = 1
    try:
        _host(Channel(end), settings)
        code = 0
    except Exception:
        logger.exception("unhandled exception in the model process; the process ends")
    finally:
        # Skips the interpreter's shutdown, which would wait for threads that are still running the model.
        os._exit(code)


def _host(channel: Channel, settings: Settings) -> None:
    try:
        engine = load_engine(settings)
    except Exception as error:
        if not isinstance(error, OmniNetError):
            logger.exception("loading the model failed")
        channel.send(pack(error if isinstance(error, OmniNetError) else RuntimeError(str(error))))
        return
    engine.start()
    channel.send(pack(Loaded(_processor(engine), engine.devices, engine.precision, engine.agreement)))
    Host(engine, channel).serve()


class Host:
    """Serves requests from a channel with an engine; one thread reads, the engine's threads write.

    Args:
        engine: started.
        channel: to the server.
    """

    def __init__(self, engine: Engine, channel: Channel) -> None:
        self._engine, self._channel = engine, channel
        self._writing = threading.Lock()
        self._works: dict[int, list[Work]] = {}

    def serve(self) -> None:
        """Serve requests until either side closes the channel."""
        threading.Thread(target=self._watch, daemon=True).start()
        with suppress(OSError):
            while True:
                self._heed(pickle.loads(self._channel.receive()))

    def _heed(self, message: Ask | Drop | Stop) -> None:
        if isinstance(message, Stop):
            threading.Thread(target=self._end).start()
        elif isinstance(message, Drop):
            self._engine.withdraw(self._works.pop(message.number, ()))
        elif message.job is None:
            self._send(Reply(message.number, self._engine.metrics.text()))
        else:
            self._begin(message, message.job)

    def _begin(self, ask: Ask, job: Job) -> None:
        number = ask.number
        watch = (lambda settled: self._send(Settled(number, settled))) if ask.watched else None
        answer: Future[Result] = Future()
        answer.add_done_callback(partial(self._reply, number))
        try:
            works = self._engine.submit(job, answer, watch)
        except ServiceError as error:
            answer.set_exception(error)
            return
        self._works[number] = works
        if answer.done():  # it was done before the works were stored
            self._works.pop(number, None)

    def _reply(self, number: int, answer: Future[Result]) -> None:
        works, error = self._works.pop(number, ()), answer.exception()
        if error is not None:
            self._engine.withdraw(works)
        self._send(Reply(number, error or answer.result()))

    def _send(self, message: Any) -> None:
        packed = pack(message)
        with self._writing, suppress(OSError):  # the reading thread detects a closed connection
            self._channel.send(packed)

    def _end(self) -> None:
        self._engine.close()
        self._channel.shutdown()

    def _watch(self) -> None:
        told = True
        while True:
            time.sleep(WATCH_S)
            if (alive := self._engine.is_alive) != told:
                told = alive
                self._send(Health(alive))


def _processor(engine: Engine) -> Processor:
    """Return the engine's processor without its network."""
    given = engine.processor
    return Processor(given.config, given.tokenizer, given.vocabularies, given.limits)
