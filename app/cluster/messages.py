"""Messages between the deployments: pickled objects, including errors."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from omninet.app.errors import ServiceError
from omninet.app.processes.messages import pack, unpack
from omninet.model.errors import InputError


@dataclass(frozen=True)
class Found:
    """A decoded upload.

    Attributes:
        value: the decoded input.
        config: configuration of the peripheral that it was decoded for.
        decode_ms: milliseconds of decoding.
    """

    value: Any
    config: Any
    decode_ms: float


@dataclass(frozen=True)
class Question:
    """A request to the model deployment, with decoded uploads.

    Attributes:
        task: name of a task of the model.
        inputs: keyword arguments of ``Processor.prepare``.
        configs: name of each peripheral with an upload -> the configuration that the upload was decoded for.
        seconds: time left until the request's deadline.
    """

    task: str
    inputs: dict[str, Any]
    configs: Mapping[str, Any]
    seconds: float


class OtherPeripheralError(Exception):
    """An upload was decoded for another checkpoint; happens during a rolling update."""


async def packed(work: Awaitable[Any]) -> bytes:
    """Return the pickled result of ``work``, or its pickled error if the error is meant for the client.

    Errors are returned as values, since Ray would log and wrap raised ones.
    """
    try:
        return pack(await work)
    except (InputError, ServiceError, OtherPeripheralError) as error:
        return pack(error)


def unpacked(message: bytes) -> Any:
    """Return the unpickled result, or raise the unpickled error.

    Raises:
        InputError, ServiceError, OtherPeripheralError: the message is an error.
    """
    found = unpack(message)
    if isinstance(found, Exception):
        raise found
    return found
