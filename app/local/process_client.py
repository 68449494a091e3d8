"""The engine, in a process of its own: what serves HTTP and what runs the model do not wait for one another."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from multiprocessing.context import ForkServerProcess
from typing import Any, NoReturn

from omninet.app.engine.engine import Result
from omninet.app.engine.warm_up import probe
from omninet.app.engine.work import Watch
from omninet.app.errors import ServiceError, internal_error, shutting_down
from omninet.app.local.process_host import Ask, Drop, Health, Loaded, Reply, Settled, Stop, host
from omninet.app.processes.link import Link
from omninet.app.processes.start import context
from omninet.app.settings import Settings
from omninet.model.job import Job

logger = logging.getLogger(__name__)
FIGURES_S = 2.0


class ModelProcess:
    """As an Engine, for the server; it has one life, from ``begin`` to ``stop`` or the end of its process.

    Attributes:
        is_alive: whether it works.
        on_end: called when the process has ended, though nobody wanted that.
    """

    def __init__(self, process: ForkServerProcess, link: Link, loaded: Loaded) -> None:
        self.processor, self.devices = loaded.processor, loaded.devices
        self.precision, self.agreement = loaded.precision, loaded.agreement
        self.is_alive = True
        self.on_end: Callable[[], None] = lambda: None
        self._process, self._link = process, link
        self._numbers = count()
        self._awaited: dict[int, asyncio.Future[Any]] = {}
        self._watching: dict[int, Watch] = {}
        self._stopping = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def begin(cls, settings: Settings) -> ModelProcess:
        """Load the model of the settings in a new process; it takes seconds.

        Raises:
            CheckpointError, DeviceError: say what is wrong with the folder or the devices.
            RuntimeError: it could not be loaded for another reason.
        """
        ours, theirs = socket.socketpair()
        link = await Link.over(ours)
        process = context().Process(target=host, args=(theirs, settings), name="model", daemon=True)
        starting = asyncio.ensure_future(asyncio.to_thread(process.start))
        try:
            await asyncio.shield(starting)
            theirs.close()
            loaded = await _loaded(link)
            await asyncio.to_thread(probe, loaded.processor)  # what it loads late is loaded now
        except BaseException:
            await asyncio.wait([starting])  # else it would go on to start what nobody ends
            theirs.close()
            await asyncio.to_thread(_end, process)
            await link.close()
            raise
        return cls(process, link, loaded)

    async def run(self, job: Job, watch: Watch | None = None) -> Result:
        """The result of a job; cancelled, its rows leave the model at the next step.

        Args:
            watch: is told what is settled of the first row's outputs, whenever that is more.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error`` if the model failed on it.
        """
        result: Result = await self._ask(job, watch)
        return result

    async def figures(self) -> bytes:
        """As Prometheus reads them; none where the process has ended or does not answer."""
        with suppress(TimeoutError, ServiceError):
            async with asyncio.timeout(FIGURES_S):
                figures: bytes = await self._ask(None)
                return figures
        return b""

    async def stop(self) -> None:
        """Refuse new jobs, answer those that were accepted, and end."""
        if not self._stopping:
            self._stopping = True
            self._link.send(Stop())
        try:
            await asyncio.shield(self._listening)
        finally:
            await asyncio.to_thread(_end, self._process)
            await self._link.close()

    async def _ask(self, job: Job | None, watch: Watch | None = None) -> Any:
        if self._stopping:
            raise shutting_down()
        if self._listening.done():
            raise internal_error()
        number = next(self._numbers)
        answer = self._awaited[number] = asyncio.get_running_loop().create_future()
        if watch is not None:
            self._watching[number] = watch
        self._link.send(Ask(number, job, watched=watch is not None))
        try:
            return await answer
        except asyncio.CancelledError:
            self._link.send(Drop(number))
            raise
        finally:
            del self._awaited[number]
            self._watching.pop(number, None)

    async def _listen(self) -> None:
        try:
            await self._receive()
        except (EOFError, OSError):
            pass
        except Exception:
            logger.exception("the process of the model sent what cannot be read")
        self.is_alive = False
        for answer in self._awaited.values():
            if not answer.done():
                answer.set_exception(internal_error())
        if not self._stopping:
            logger.error("the process of the model has ended, with exit code %s", self._process.exitcode)
            self.on_end()

    async def _receive(self) -> NoReturn:
        while True:
            message = await self._link.receive()
            if isinstance(message, Health):
                self.is_alive = message.is_alive
            elif isinstance(message, Settled):
                if message.number in self._watching:  # else its requester has just gone
                    self._watching[message.number](message.hypothesis)
            else:
                self._settle(message)

    def _settle(self, reply: Reply) -> None:
        answer = self._awaited.get(reply.number)
        if answer is None or answer.done():  # its requester has just gone
            return
        if isinstance(reply.result, Exception):
            answer.set_exception(reply.result)
        else:
            answer.set_result(reply.result)


async def _loaded(link: Link) -> Loaded:
    try:
        message = await link.receive()
    except (EOFError, OSError):
        raise RuntimeError("the process of the model ended before the model was loaded") from None
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, Loaded)
    return message


def _end(process: ForkServerProcess) -> None:
    if process.pid is not None:
        process.kill()
        process.join()
