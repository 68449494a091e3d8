"""What the deployments say to one another: packed objects, errors among them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from omninet.app.errors import ServiceError
from omninet.app.processes.messages import pack, unpack
from omninet.model.errors import InputError


@dataclass(frozen=True)
class Found:
    """What a decoder found in an upload.

    Attributes:
        config: of the peripheral that it has decoded it for.
        decode_ms: that it took.
    """

    value: Any
    config: Any
    decode_ms: float


@dataclass(frozen=True)
class Question:
    """A query whose uploads have been decoded.

    Attributes:
        inputs: of ``Processor.prepare``.
        configs: of the peripherals that uploads among them were decoded for, by name.
        seconds: for which the answer is waited for.
    """

    task: str
    inputs: dict[str, Any]
    configs: Mapping[str, Any]
    seconds: float


class OtherPeripheralError(Exception):
    """An upload was decoded for another checkpoint, as may be while one takes the place of another."""


async def packed(work: Awaitable[Any]) -> bytes:
    """What comes of it, the errors too that a client is told: as values, since Ray would log and wrap them."""
    try:
        return pack(await work)
    except (InputError, ServiceError, OtherPeripheralError) as error:
        return pack(error)


def unpacked(message: bytes) -> Any:
    """What was packed, or it is raised."""
    found = unpack(message)
    if isinstance(found, Exception):
        raise found
    return found
