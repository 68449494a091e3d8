"""The backend of an ingress: decoders and models that Ray has somewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    WorkerCrashedError,
)
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
    ReplicaUnavailableError,
)
from ray.serve.handle import DeploymentHandle

from omninet.app.backend import Answered, Description, Query, Tell, Upload
from omninet.app.cluster.messages import Found, OtherPeripheralError, Question, unpacked
from omninet.app.errors import ServiceError, internal_error, overloaded
from omninet.app.processes.messages import pack
from omninet.app.telemetry.stopwatch import Stopwatch

logger = logging.getLogger(__name__)
# With its machine or its process, for no fault of the request.
LOST = (RayActorError, ObjectLostError, WorkerCrashedError, NodeDiedError, OutOfMemoryError, ReplicaUnavailableError)
PAUSE_S = 0.1
DESCRIBE_S = 2.0
KNOWN_S = 5.0


class Cluster:
    """Asks the decoders and the models of an application; a Backend.

    What is lost with a machine is asked for again until the request's deadline, since nothing is changed by asking.
    """

    def __init__(self, decoder: DeploymentHandle[Any], model: DeploymentHandle[Any]) -> None:
        self._decoder, self._model = decoder, model
        self._description: tuple[float, Description] | None = None

    async def start(self) -> None:
        """There is nothing to begin: Ray starts what is asked."""

    async def stop(self) -> None:
        """There is nothing to end: Ray waits for the requests of a replica, and ends the others by itself."""

    async def answer(self, query: Query, times: Stopwatch, tell: Tell | None = None) -> Answered:
        """As of every Backend."""
        files = [await asyncio.to_thread(upload.file.read) for upload in query.uploads]
        while True:
            inputs, configs = dict(query.inputs), dict[str, Any]()
            try:
                for upload, data in zip(query.uploads, files, strict=True):
                    # By way of here: what waits for its decoder must not take up a place at a model.
                    found = await self._decoded(upload, data)
                    inputs[upload.keyword], configs[upload.peripheral] = found.value, found.config
                    times.add(decode_media=found.decode_ms)
                answered = await self._ask_model(query, inputs, configs, tell)
            except OtherPeripheralError:
                await asyncio.sleep(PAUSE_S)
            else:
                return _timed(answered, times)

    async def describe(self) -> Description:
        """As of every Backend; the same for some seconds, and longer where models are too busy to be asked."""
        known = self._description
        if known is not None and time.monotonic() - known[0] < KNOWN_S:
            return known[1]
        try:
            async with asyncio.timeout(DESCRIBE_S):
                found: Description = await _asked(self._model.describe.remote)
        except TimeoutError:
            raise _not_ready() from None
        except ServiceError as error:
            if known is None or error.code != "overloaded":
                raise
            found = known[1]
        self._description = time.monotonic(), found
        return found

    async def figures(self) -> bytes:
        """Ray has them, and those of all machines."""
        raise ServiceError(404, "metrics_elsewhere", "on Ray Serve figures are Ray's: ask its metrics on each machine")

    async def reload(self) -> Description:
        """Ray does it."""
        raise ServiceError(
            409, "reload_elsewhere", "on Ray Serve deploy a configuration that names the new checkpoint: serve deploy"
        )

    async def _decoded(self, upload: Upload, data: bytes) -> Found:
        decode = self._decoder.decode
        found: Found = unpacked(await _asked(lambda: decode.remote(upload.peripheral, upload.form, data)))
        return found

    async def _ask_model(
        self, query: Query, inputs: dict[str, Any], configs: dict[str, Any], tell: Tell | None
    ) -> Answered:
        def message() -> bytes:
            return pack(Question(query.task, inputs, configs, max(0.0, query.until - time.monotonic())))

        if tell is None:
            answered: Answered = unpacked(await _asked(lambda: self._model.answer.remote(message())))
            return answered
        return await self._follow(message, tell)

    async def _follow(self, message: Callable[[], bytes], tell: Tell) -> Answered:
        """The answer at the end of a stream, once what comes before has been told."""
        streams: Any = self._model.options(stream=True).stream
        found: Any = None
        while True:
            stream = streams.remote(message())
            try:
                async for part in stream:
                    found = unpacked(part)
                    if not isinstance(found, Answered):
                        tell(found)
                assert isinstance(found, Answered)
                return found
            except (RayError, RayServeException) as error:
                await _bear(error, again=found is None)  # what was told cannot be taken back
            except BaseException:
                _cancel(stream)
                raise


async def _asked(call: Callable[[], Any]) -> Any:
    """The result of a call to a deployment, made again where it is lost; cancelled, so is the call.

    Raises:
        ServiceError: ``overloaded``, ``not_ready`` or ``internal_error``.
    """
    while True:
        response = call()
        try:
            return await response
        except (RayError, RayServeException) as error:
            await _bear(error, again=True)
        except asyncio.CancelledError:
            _cancel(response)
            raise


def _cancel(response: Any) -> None:
    """End a call that nobody waits for; one that has just failed says so once more, which nobody wants to know."""
    with suppress(Exception):
        response.cancel()


async def _bear(error: Exception, *, again: bool) -> None:
    """Wait a moment after something was lost; anything else, or what cannot be asked for again, is the end of it."""
    if not isinstance(error, LOST):
        _refuse(error)
    logger.warning("a replica is gone: %s", type(error).__name__)
    if not again:
        raise ServiceError(503, "replica_lost", "the model was lost on the way; ask again", {"Retry-After": "1"})
    await asyncio.sleep(PAUSE_S)


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, BackPressureError):
        raise overloaded("too many requests are waiting; try again in a moment") from None
    if isinstance(error, DeploymentUnavailableError):
        raise _not_ready() from None
    logger.error("a deployment failed", exc_info=error)
    raise internal_error() from None


def _not_ready() -> ServiceError:
    return ServiceError(503, "not_ready", "there is no model that answers yet", {"Retry-After": "2"})


def _timed(answered: Answered, times: Stopwatch) -> Answered:
    """With the times of this request, of which the model's are a part."""
    of_model = answered.timings
    times.add(prepare=of_model["prepare"])
    return replace(answered, timings=times.stages(encode=of_model["encode"], decode=of_model["decode"]))
