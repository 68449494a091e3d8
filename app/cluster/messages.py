"""What the deployments say to one another: packed objects, errors among them."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from app.errors import ServiceError
from app.link import pack
from model.errors import InputError
from model.media.videos import Clip
from model.media.images import Picture
from model.modalities.vision.config import VisionConfig


@dataclass(frozen=True)
class Seen:
    """What a decoder found in an upload.

    Attributes:
        vision: that it has fitted the frames for.
        decode_ms: that it took.
    """

    frames: Picture | Clip
    vision: VisionConfig | None
    decode_ms: float


@dataclass(frozen=True)
class Question:
    """A query whose upload has been decoded.

    Attributes:
        inputs: of ``Processor.prepare``.
        vision: that the frames among them were fitted for; None where there are none.
        seconds: for which the answer is waited for.
    """

    task: str
    inputs: dict[str, Any]
    vision: VisionConfig | None
    seconds: float


class OtherVisionError(Exception):
    """The frames were fitted for another checkpoint, as may be while one takes the place of another."""


async def packed(work: Awaitable[Any]) -> bytes:
    """What comes of it, the errors too that a client is told: as values, since Ray would log and wrap them."""
    try:
        return pack(await work)
    except (InputError, ServiceError, OtherVisionError) as error:
        return pack(error)


def unpacked(message: bytes) -> Any:
    """What was packed, or it is raised."""
    found = pickle.loads(message)
    if isinstance(found, Exception):
        raise found
    return found
