"""Client of the engine in a child process, so that HTTP and the model do not share an interpreter lock (GIL)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn, TypeVar

from omninet.app.engine.result import Result, Watch
from omninet.app.engine.warm_up import probe
from omninet.app.errors import ServiceError, internal_error, shutting_down
from omninet.app.local.heartbeat import Heartbeat
from omninet.app.local.launch import LaunchedProcess, end, ended_early
from omninet.app.local.model_messages import (
    CancelJob,
    Checked,
    Health,
    JobReply,
    Loaded,
    PartialResult,
    Shutdown,
    SubmitJob,
)
from omninet.app.processes.messages import AsyncConnection
from omninet.app.settings import Settings
from omninet.model.job import Job

logger = logging.getLogger(__name__)
METRICS_TIMEOUT_S = 2.0
M = TypeVar("M")


class ModelProcess:
    """An engine in a child process, with the interface of Engine; it ends with ``stop`` or the death of the process.

    A process that has sent no message for long, not even its heartbeat, is killed.

    Args:
        process: the child process.
        link: connection to it.
        loaded: its first message.

    Attributes:
        is_alive: whether the engine is healthy.
        on_end: called when the process has ended without ``stop``.
    """

    def __init__(self, process: BaseProcess, connection: AsyncConnection, loaded: Loaded) -> None:
        self.processor, self.devices = loaded.processor, loaded.devices
        self.precision, self.agreement = loaded.precision, loaded.agreement
        self.is_alive = True
        self.on_end: Callable[[], None] = lambda: None
        self._process, self._connection = process, connection
        self._numbers = count()
        self._awaited: dict[int, asyncio.Future[Any]] = {}
        self._watching: dict[int, Watch] = {}
        self._stopping = False
        self._heartbeat = Heartbeat()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def begin(cls, settings: Settings, launched: LaunchedProcess | None = None) -> ModelProcess:
        """Start a process and load the model of the settings in it; takes seconds.

        Args:
            settings: of the service.
            launched: process that has checked these settings; None starts one.

        Raises:
            CheckpointError: the checkpoint cannot be loaded.
            DeviceError: a device cannot be used.
            RuntimeError: loading failed for another reason, or the process died or hangs.
        """
        starting = asyncio.ensure_future(asyncio.to_thread(LaunchedProcess)) if launched is None else None
        connection: AsyncConnection | None = None
        try:
            if starting is not None:
                launched = await asyncio.shield(starting)
            assert launched is not None
            connection = await AsyncConnection.over(launched.end)
            if starting is not None:
                connection.send(settings)
                await _received(connection, Checked)
            loaded = await _loaded(connection)
            await asyncio.to_thread(probe, loaded.processor)  # loads the tokenizers and other lazy parts
        except BaseException:
            if starting is not None:
                await asyncio.wait([starting])  # the thread cannot be cancelled and would leave a process running
                launched = starting.result()
            assert launched is not None
            if connection is not None:
                await connection.close()
            await asyncio.to_thread(launched.close)
            raise
        return cls(launched.process, connection, loaded)

    async def run(self, job: Job, watch: Watch | None = None) -> Result:
        """Run a job and return its result; if cancelled, its rows leave the model at the next decoder step.

        Args:
            job: rows to run.
            watch: called with the final prefix of the first row's outputs each time it grows.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error``: the model failed on the job.
        """
        result: Result = await self._ask(job, watch)
        return result

    async def metrics_text(self) -> bytes:
        """Return the metrics in the Prometheus text format; empty if the process does not respond in time."""
        with suppress(TimeoutError, ServiceError):
            async with asyncio.timeout(METRICS_TIMEOUT_S):
                text: bytes = await self._ask(None)
                return text
        return b""

    async def stop(self) -> None:
        """Reject new jobs, complete the accepted ones and end the process."""
        if not self._stopping:
            self._stopping = True
            self._connection.send(Shutdown())
        try:
            await asyncio.shield(self._listening)
        finally:
            await asyncio.to_thread(end, self._process)
            await self._connection.close()

    async def _ask(self, job: Job | None, watch: Watch | None = None) -> Any:
        if self._stopping:
            raise shutting_down()
        if self._listening.done():
            raise internal_error()
        number = next(self._numbers)
        answer = self._awaited[number] = asyncio.get_running_loop().create_future()
        if watch is not None:
            self._watching[number] = watch
        self._connection.send(SubmitJob(number, job and replace(job, kept=None), watched=watch is not None))
        try:
            return await answer
        except asyncio.CancelledError:
            self._connection.send(CancelJob(number))
            raise
        finally:
            del self._awaited[number]
            self._watching.pop(number, None)

    async def _listen(self) -> None:
        try:
            await self._heartbeat.guard(self._receive())
        except TimeoutError as error:
            logger.warning("the model process hangs and is killed: %s", error)
            self._process.kill()
        except (EOFError, OSError):
            pass
        except Exception:
            logger.exception("cannot read a message of the model process; the model is considered dead")
        self.is_alive = False
        for answer in self._awaited.values():
            if not answer.done():
                answer.set_exception(internal_error())
        if not self._stopping:
            logger.error("the model process ended unexpectedly, with exit code %s", self._process.exitcode)
            self.on_end()

    async def _receive(self) -> NoReturn:
        while True:
            message = await self._connection.receive()
            self._heartbeat.beat()
            if isinstance(message, Health):
                self.is_alive = message.is_alive
            elif isinstance(message, PartialResult):
                if message.number in self._watching:  # otherwise the request was just cancelled
                    self._watching[message.number](message.hypothesis)
            else:
                self._settle(message)

    def _settle(self, reply: JobReply) -> None:
        answer = self._awaited.get(reply.number)
        if answer is None or answer.done():  # the request was just cancelled
            return
        if isinstance(reply.result, Exception):
            answer.set_exception(reply.result)
        else:
            answer.set_result(reply.result)


async def _loaded(connection: AsyncConnection) -> Loaded:
    heartbeat = Heartbeat()

    async def receive() -> Loaded:
        while True:
            message = await _received(connection, Health, Loaded)
            heartbeat.beat()
            if isinstance(message, Loaded):
                return message

    try:
        return await heartbeat.guard(receive())
    except TimeoutError as error:
        raise RuntimeError(f"the model process hangs while it loads the model: {error}") from None


async def _received(connection: AsyncConnection, *kinds: type[M]) -> M:
    try:
        message = await connection.receive()
    except (EOFError, OSError):
        raise ended_early() from None
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, kinds)
    return message
