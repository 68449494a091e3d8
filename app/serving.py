"""A checkpoint at work, from its first request to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from app.engine import Engine
from app.loading import load_engine
from app.media import MediaPool
from app.metrics import Metrics
from app.sandbox import Limits
from app.settings import Settings

T = TypeVar("T")


class Serving:
    """An engine, the processes that decode media for it, and how many requests are at it.

    Another may take its place at any time: a request keeps to the one that it began with.
    """

    def __init__(self, engine: Engine, media: MediaPool) -> None:
        self.engine, self.media = engine, media
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it alive inside."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def retire(self, successor: Serving) -> None:
        """Wait for its last request, then end what the successor does not use; cancelled, end it at once."""
        try:
            await self._unused.wait()
        finally:
            await self.engine.stop()
            if self.media is not successor.media:
                await asyncio.to_thread(self.media.close)

    async def stop(self) -> None:
        """Answer what was accepted, then end."""
        await self.engine.stop()
        await asyncio.to_thread(self.media.close)


async def load(settings: Settings, metrics: Metrics, old: Serving | None = None) -> Serving:
    """Load what the settings say, without any effect on the ``old`` one, whose processes for media it uses if it can.

    Raises:
        CheckpointError, DeviceError: say what is wrong with the folder or the devices.
    """
    engine = await _in_own_thread(lambda: load_engine(settings, metrics))
    if old is not None and old.engine.predictor.vision == engine.predictor.vision:
        return Serving(engine, old.media)
    return await opened(settings, engine)


async def opened(settings: Settings, engine: Engine) -> Serving:
    """An engine, with processes for media of its own."""
    limits = Limits(settings.media_limits(), settings.media_seconds, settings.media_memory_bytes)
    media = MediaPool(engine.predictor.vision, limits, settings.media_processes, settings.max_waiting_media)
    starting = asyncio.ensure_future(asyncio.to_thread(media.start))
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait([starting])  # else it would go on to start what nobody ends
        media.close()
        raise
    return Serving(engine, media)


async def _in_own_thread(work: Callable[[], T]) -> T:
    """Do ``work`` in a thread that ends with it, and with it the threads that torch has started for it."""
    executor = ThreadPoolExecutor(1, "loading")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    finally:
        executor.shutdown(wait=False)
