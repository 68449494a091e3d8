"""Untrusted images and videos: where they are decoded, and how many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Literal, TypeVar

from app.errors import overloaded
from model.media import Clip, Picture, decode_image, decode_video
from model.predictor import Predictor

T = TypeVar("T")


class MediaPool:
    """Threads of their own, so that slow videos hold up other videos and nothing else."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "media")
        self._room = threads + max_waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` when its turn comes; cancelled before that, it is never done.

        Raises:
            ServiceError: ``overloaded``, too much is waiting.
        """
        if not self._room:
            raise overloaded("too many uploads are waiting to be decoded; try again in a moment")
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._room += 1

    def close(self) -> None:
        """Let go of the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def decode_upload(predictor: Predictor, kind: Literal["image", "video"], file: BinaryIO) -> dict[str, Picture | Clip]:
    """The bytes of an upload as the predictor wants them; the name of the file is never looked at.

    Raises:
        InputError: the bytes cannot be decoded, or are more than the predictor's limits allow.
    """
    data = file.read()
    if kind == "image":
        return {kind: decode_image(data, predictor.limits)}
    return {kind: decode_video(data, predictor.vision.frames, predictor.limits)}
