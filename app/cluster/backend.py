"""The ingress's backend, which calls the decoder and model deployments of Ray Serve."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
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

from omninet.app.answering import all_or_none
from omninet.app.backend import Description, Notify, Prediction, Query, Upload
from omninet.app.cluster.messages import Found, OtherPeripheralError, Question, unpacked
from omninet.app.errors import ServiceError, internal_error, overloaded
from omninet.app.processes.messages import pack
from omninet.app.telemetry.stopwatch import Stopwatch

logger = logging.getLogger(__name__)
# Errors of a replica that died with its process or machine; the request is not at fault and may be repeated.
REPLICA_LOST = (
    RayActorError,
    ObjectLostError,
    WorkerCrashedError,
    NodeDiedError,
    OutOfMemoryError,
    ReplicaUnavailableError,
)
PAUSE_S = 0.1
DESCRIBE_TIMEOUT_S = 2.0
DESCRIPTION_TTL_S = 5.0


class ClusterBackend:
    """Backend that calls the decoder and model deployments.

    Calls are idempotent, so those lost with a replica are repeated until the request's deadline.

    Args:
        decoder: handle of the decoder deployment.
        model: handle of the model deployment.
    """

    def __init__(self, decoder: DeploymentHandle[Any], model: DeploymentHandle[Any]) -> None:
        self._decoder, self._model = decoder, model
        self._description: tuple[float, Description] | None = None

    async def start(self) -> None:
        """Do nothing: Ray starts the deployments."""

    async def stop(self) -> None:
        """Do nothing: Ray waits for the requests of this replica and stops the other deployments."""

    async def predict(self, query: Query, times: Stopwatch, notify: Notify | None = None) -> Prediction:
        """Process one request: check its inputs and options, decode its uploads, then run the model.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``not_ready``, ``overloaded``, ``replica_lost`` or ``internal_error``.
        """
        if query.uploads:
            await self._check(query)
        files = [await asyncio.to_thread(upload.file.read) for upload in query.uploads]
        while True:
            inputs, configs = dict(query.inputs), dict[str, Any]()
            try:
                for upload, data in zip(query.uploads, files, strict=True):
                    # Decoded before the model is called, so that waiting for a decoder takes up no place at a model.
                    found = await self._decoded(upload, data)
                    inputs[upload.keyword], configs[upload.peripheral] = found.value, found.config
                    times.add(decode_media=found.decode_ms)
                answered = await self._ask_model(query, inputs, configs, notify)
            except OtherPeripheralError:
                await asyncio.sleep(PAUSE_S)
            else:
                return _timed(answered, times)

    async def predict_all(
        self, queries: Sequence[Query], times: Stopwatch
    ) -> tuple[list[Prediction], Mapping[str, Any]]:
        """Process several requests about the same uploads, which are decoded once. See Backend.predict_all."""
        for query in queries:
            await self._check(query)
        files = [(upload, await asyncio.to_thread(upload.file.read)) for upload in queries[0].uploads]
        while True:
            found = [(upload, await self._decoded(upload, data)) for upload, data in files]
            decoded = {upload.keyword: each.value for upload, each in found}
            configs = {upload.peripheral: each.config for upload, each in found}
            try:
                answered = await all_or_none(
                    self._ask_model(query, {**query.inputs, **decoded}, configs, None) for query in queries
                )
            except OtherPeripheralError:
                await asyncio.sleep(PAUSE_S)
            else:
                times.add(decode_media=sum(each.decode_ms for _, each in found))
                return [_timed(answered[0], times), *answered[1:]], decoded

    async def describe(self) -> Description:
        """Return the description of the current model.

        It is cached for ``DESCRIPTION_TTL_S``, and used for longer while the model replicas are overloaded.

        Raises:
            ServiceError: ``not_ready``, ``overloaded`` or ``internal_error``.
        """
        known = self._description
        if known is not None and time.monotonic() - known[0] < DESCRIPTION_TTL_S:
            return known[1]
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
                found: Description = await _call_with_retries(self._model.describe.remote)
        except TimeoutError:
            raise _not_ready() from None
        except ServiceError as error:
            if known is None or error.code != "overloaded":
                raise
            found = known[1]
        self._description = time.monotonic(), found
        return found

    async def metrics_text(self) -> bytes:
        """Raise ServiceError ``metrics_elsewhere``: metrics are exported by Ray."""
        message = "metrics are exported by Ray Serve; scrape Ray's metrics port on each machine"
        raise ServiceError(404, "metrics_elsewhere", message)

    async def reload(self) -> Description:
        """Raise ServiceError ``reload_elsewhere``: Ray replaces models by ``serve deploy``."""
        message = "Ray Serve does not reload models; run `serve deploy` with a configuration that names the checkpoint"
        raise ServiceError(409, "reload_elsewhere", message)

    async def _check(self, query: Query) -> None:
        """Have a model replica check the request, with a string in place of each upload, before media are decoded."""
        given = {**query.inputs, **{upload.keyword: upload.form for upload in query.uploads}}
        unpacked(await _call_with_retries(lambda: self._model.check.remote(query.task, given)))

    async def _decoded(self, upload: Upload, data: bytes) -> Found:
        decode = self._decoder.decode
        packed = await _call_with_retries(lambda: decode.remote(upload.peripheral, upload.form, data))
        with upload.naming():
            found: Found = unpacked(packed)
        return found

    async def _ask_model(
        self, query: Query, inputs: dict[str, Any], configs: dict[str, Any], notify: Notify | None
    ) -> Prediction:
        def message() -> bytes:
            return pack(Question(query.task, inputs, configs, max(0.0, query.until - time.monotonic())))

        if notify is None:
            answered: Prediction = unpacked(await _call_with_retries(lambda: self._model.predict.remote(message())))
            return answered
        return await self._stream_answer(message, notify)

    async def _stream_answer(self, message: Callable[[], bytes], notify: Notify) -> Prediction:
        """Return the answer at the end of a stream, after passing each part before it to ``notify``."""
        streams: Any = self._model.options(stream=True).stream
        found: Any = None
        while True:
            stream = streams.remote(message())
            try:
                async for part in stream:
                    found = unpacked(part)
                    if not isinstance(found, Prediction):
                        notify(found)
                assert isinstance(found, Prediction)
                return found
            except (RayError, RayServeException) as error:
                await _pause_or_raise(error, again=found is None)  # parts that were sent cannot be revoked
            except BaseException:
                _cancel(stream)
                raise


async def _call_with_retries(call: Callable[[], Any]) -> Any:
    """Return the result of a call to a deployment; repeat it if the replica is lost, cancel it if cancelled.

    Args:
        call: starts the call and returns its response.

    Raises:
        ServiceError: ``overloaded``, ``not_ready`` or ``internal_error``.
    """
    while True:
        response = call()
        try:
            return await response
        except (RayError, RayServeException) as error:
            await _pause_or_raise(error, again=True)
        except asyncio.CancelledError:
            _cancel(response)
            raise


def _cancel(response: Any) -> None:
    """Cancel a call."""
    with suppress(Exception):  # cancelling a call that has failed raises its error
        response.cancel()


async def _pause_or_raise(error: Exception, *, again: bool) -> None:
    """Pause before a call is repeated if its replica was lost; raise a ServiceError otherwise.

    Args:
        error: of the call.
        again: whether the call can be repeated.

    Raises:
        ServiceError: ``replica_lost``: the call cannot be repeated; ``overloaded``, ``not_ready`` or
            ``internal_error``: ``error`` has another cause.
    """
    if not isinstance(error, REPLICA_LOST):
        _raise_service_error(error)
    logger.warning("a replica was lost during a call: %s", type(error).__name__)
    if not again:
        raise ServiceError(
            503, "replica_lost", "the model's replica was lost during the request; try again", {"Retry-After": "1"}
        )
    await asyncio.sleep(PAUSE_S)


def _raise_service_error(error: Exception) -> NoReturn:
    if isinstance(error, BackPressureError):
        raise overloaded("too many requests are waiting; try again in a moment") from None
    if isinstance(error, DeploymentUnavailableError):
        raise _not_ready() from None
    logger.error("a call to a deployment failed", exc_info=error)
    raise internal_error() from None


def _not_ready() -> ServiceError:
    return ServiceError(503, "not_ready", "no model replica is ready yet; try again in a moment", {"Retry-After": "2"})


def _timed(answered: Prediction, times: Stopwatch) -> Prediction:
    """Return the answer with the timings of the whole request, which include those of the model replica."""
    of_model = answered.timings
    times.add(prepare=of_model["prepare"])
    return replace(answered, timings=times.stages(encode=of_model["encode"], decode=of_model["decode"]))
