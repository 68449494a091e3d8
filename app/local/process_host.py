"""The process that has the model: an engine behind a channel."""

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
WATCH_S = 0.1  # how long a change of the engine's health may go unnoticed


@dataclass(frozen=True)
class Loaded:
    """The first message from the process: what can be known of the model without having it."""

    processor: Processor
    devices: list[str]
    precision: str
    agreement: Agreement | None


@dataclass(frozen=True)
class Ask:
    """A request to the process; the answer has its number.

    Attributes:
        job: None asks for the figures.
        watched: whether what is settled is to be told on the way.
    """

    number: int
    job: Job | None
    watched: bool = False


@dataclass(frozen=True)
class Drop:
    """Nobody waits for this answer any more."""

    number: int


@dataclass(frozen=True)
class Stop:
    """Answer what was accepted, then end."""


@dataclass(frozen=True)
class Reply:
    """The answer to an ``Ask``, or the error."""

    number: int
    result: Any


@dataclass(frozen=True)
class Settled:
    """What is settled of the outputs for a watched ``Ask``."""

    number: int
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Health:
    """Whether the engine works."""

    is_alive: bool


def host(end: socket.socket, settings: Settings) -> None:
    """Load the model and answer until told to stop, or the other end is gone; the body of the process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the server is told, and says what is to be done
        signal.signal(number, signal.SIG_IGN)
    call_this(MODEL)
    configure_logs()
    code = 1
    try:
        _host(Channel(end), settings)
        code = 0
    except Exception:
        logger.exception("the process of the model failed")
    finally:
        # Without the server there is nothing to end well, and threads may be in the middle of something.
        os._exit(code)


def _host(channel: Channel, settings: Settings) -> None:
    try:
        engine = load_engine(settings)
    except Exception as error:
        if not isinstance(error, OmniNetError):
            logger.exception("the model could not be loaded")
        channel.send(pack(error if isinstance(error, OmniNetError) else RuntimeError(str(error))))
        return
    engine.start()
    channel.send(pack(Loaded(_processor(engine), engine.devices, engine.precision, engine.agreement)))
    Host(engine, channel).serve()


class Host:
    """Answers what comes over a channel with an engine; a thread reads, and those of the model write."""

    def __init__(self, engine: Engine, channel: Channel) -> None:
        self._engine, self._channel = engine, channel
        self._writing = threading.Lock()
        self._works: dict[int, list[Work]] = {}

    def serve(self) -> None:
        """Until the channel is closed, from here or from there."""
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
        if answer.done():  # before they were noted
            self._works.pop(number, None)

    def _reply(self, number: int, answer: Future[Result]) -> None:
        works, error = self._works.pop(number, ()), answer.exception()
        if error is not None:
            self._engine.withdraw(works)
        self._send(Reply(number, error or answer.result()))

    def _send(self, message: Any) -> None:
        packed = pack(message)
        with self._writing, suppress(OSError):  # whoever reads notices that the other end is gone
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
    """That of the engine, without its network."""
    given = engine.processor
    return Processor(given.config, given.tokenizer, given.vocabularies, given.limits)
