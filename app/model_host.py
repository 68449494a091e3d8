"""The process that has the model: an engine behind a link."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.engine import Engine
from app.errors import ServiceError, internal_error
from app.link import Link
from app.loading import load_engine
from app.logs import configure_logs
from app.processes import MODEL, call_this
from app.settings import Settings
from model.errors import OmniNetError
from model.processor import Job, Processor

logger = logging.getLogger(__name__)
WATCH_S = 0.1  # how long a change of the engine's health may go unnoticed


@dataclass(frozen=True)
class Loaded:
    """The first message from the process: what can be known of the model without having it."""

    processor: Processor
    devices: list[str]
    precision: str


@dataclass(frozen=True)
class Ask:
    """A request to the process; the answer has its number. None asks for the figures."""

    number: int
    job: Job | None


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
class Health:
    """Whether the engine works."""

    is_alive: bool


def host(end: socket.socket, settings: Settings) -> None:
    """Load the model and answer until told to stop, or the other end is gone; the body of the process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the server is told, and says what is to be done
        signal.signal(number, signal.SIG_IGN)
    call_this(MODEL)
    configure_logs()
    try:
        asyncio.run(_host(end, settings))
    finally:
        # Without the server there is nothing to end well, and threads may be in the middle of something.
        os._exit(0)


async def _host(end: socket.socket, settings: Settings) -> None:
    link = await Link.over(end)
    try:
        engine = load_engine(settings)
    except Exception as error:
        if not isinstance(error, OmniNetError):
            logger.exception("the model could not be loaded")
        link.send(error if isinstance(error, OmniNetError) else RuntimeError(str(error)))
    else:
        engine.start()
        link.send(Loaded(_processor(engine), engine.devices, engine.precision))
        with suppress(EOFError, OSError):
            await Host(engine, link).serve()
    await link.close()


class Host:
    """Answers what comes over a link with an engine."""

    def __init__(self, engine: Engine, link: Link) -> None:
        self._engine, self._link = engine, link
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until the link is closed, from here or from there.

        Raises:
            EOFError, OSError: it is.
        """
        others = [asyncio.create_task(self._watch())]
        while True:
            message = await self._link.receive()
            if isinstance(message, Ask):
                self._tasks[message.number] = asyncio.create_task(self._answer(message))
            elif isinstance(message, Stop):
                others.append(asyncio.create_task(self._end()))
            elif message.number in self._tasks:
                self._tasks[message.number].cancel()

    async def _end(self) -> None:
        await self._engine.stop()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._link.close()  # and so nothing is received any more

    async def _answer(self, ask: Ask) -> None:
        try:
            self._link.send(Reply(ask.number, await self._result(ask)))
        finally:
            del self._tasks[ask.number]

    async def _result(self, ask: Ask) -> Any:
        try:
            return await (self._engine.figures() if ask.job is None else self._engine.run(ask.job))
        except ServiceError as error:
            return error
        except Exception:
            logger.exception("the engine failed on a request")
            return internal_error()

    async def _watch(self) -> None:
        told = True
        while True:
            await asyncio.sleep(WATCH_S)
            if (alive := self._engine.is_alive) != told:
                told = alive
                self._link.send(Health(alive))


def _processor(engine: Engine) -> Processor:
    """That of the engine, without its network."""
    given = engine.processor
    return Processor(given.config, given.tokenizer, given.vocabularies, given.limits)
