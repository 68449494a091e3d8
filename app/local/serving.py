"""A loaded checkpoint with its media processes, from the first to the last request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from omninet.app.answering import AnyEngine, all_or_none, prepare_and_run
from omninet.app.backend import Notify, Prediction, Query, Upload
from omninet.app.local.launch import LaunchedProcess
from omninet.app.local.process_client import ModelProcess
from omninet.app.media.pool import MediaPool
from omninet.app.media.sandbox import Limits, Sandbox
from omninet.app.settings import Settings
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.errors import InputError
from omninet.model.modalities import Modality
from omninet.model.processor import Processor


class Serving:
    """An engine with its media processes and a count of the requests that use them.

    A reload replaces the Serving; a request continues with the one that it started with.

    Args:
        engine: runs the model.
        media: decodes uploads.
    """

    def __init__(self, engine: AnyEngine, media: MediaPool) -> None:
        self.engine, self.media = engine, media
        self._users, self._last_use = 0, time.monotonic()
        self._unused = asyncio.Event()
        self._unused.set()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Count a request: ``retire`` waits until all blocks have ended."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users, self._last_use = self._users - 1, time.monotonic()
            if not self._users:
                self._unused.set()

    def idle_seconds(self) -> float:
        """Return for how long there has been no request."""
        return 0.0 if self._users else time.monotonic() - self._last_use

    async def decode_and_predict(self, query: Query, times: Stopwatch, notify: Notify | None = None) -> Prediction:
        """Process one request. See Backend.predict."""
        with self.in_use():
            self._check(query)
            inputs = dict(query.inputs)
            for upload in query.uploads:
                inputs[upload.keyword] = await self.media.run(partial(decode, times, upload))
            return await prepare_and_run(self.engine, query.task, inputs, times, notify)

    async def decode_and_predict_all(
        self, queries: Sequence[Query], times: Stopwatch
    ) -> tuple[list[Prediction], dict[str, Any]]:
        """Process several requests about the same uploads. See Backend.predict_all."""
        with self.in_use():
            for query in queries:
                self._check(query)
            uploads = queries[0].uploads
            decoded = {upload.keyword: await self.media.run(partial(decode, times, upload)) for upload in uploads}
            watches = [times, *(Stopwatch() for _ in queries[1:])]
            answered = await all_or_none(
                prepare_and_run(self.engine, query.task, {**query.inputs, **decoded}, watch)
                for query, watch in zip(queries, watches, strict=True)
            )
        return answered, decoded

    def _check(self, query: Query) -> None:
        """Check the inputs and options before media are decoded.

        A reload may just have replaced the model, so the endpoint's task or one of its inputs may be gone.

        Raises:
            InputError: see ``Processor.check``.
        """
        processor = self.engine.processor
        keywords = processor.config.network.keywords(processor.task(query.task))
        for upload in query.uploads:
            wanted = keywords.get(upload.keyword)
            if wanted is None or (wanted[0].peripheral, wanted[1]) != (upload.peripheral, upload.form):
                message = f"task {query.task} takes no {upload.keyword}"
                raise InputError("unexpected_input", message, input=upload.keyword)
        processor.check(query.task, **{**query.inputs, **{upload.keyword: upload for upload in query.uploads}})

    async def retire(self, successor: Serving) -> None:
        """Wait for the last request, then stop what ``successor`` does not share; if cancelled, stop it at once."""
        try:
            await self._unused.wait()
        finally:
            await self.engine.stop()
            if self.media is not successor.media:
                await asyncio.to_thread(self.media.close)

    async def stop(self) -> None:
        """Complete the accepted requests, then stop engine and media processes."""
        await self.engine.stop()
        await asyncio.to_thread(self.media.close)


async def load(settings: Settings, old: Serving | None = None, launched: LaunchedProcess | None = None) -> Serving:
    """Load the checkpoint of the settings.

    Args:
        settings: of the service.
        old: the current Serving, which is not changed; its media processes are shared if they fit the new model.
        launched: see ``ModelProcess.begin``.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DeviceError: a device cannot be used.
        RuntimeError: loading failed for another reason.
    """
    engine = await ModelProcess.begin(settings, launched)
    try:
        if old is not None and _decoders(old.engine.processor) == _decoders(engine.processor):
            return Serving(engine, old.media)
        return await opened(settings, engine)
    except BaseException:
        await engine.stop()
        raise


async def opened(settings: Settings, engine: AnyEngine) -> Serving:
    """Start media processes for an engine and return both.

    Raises:
        RuntimeError: a media process does not start.
    """
    media = media_pool(settings, engine.processor.modalities)
    starting = asyncio.ensure_future(asyncio.to_thread(media.start))
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait([starting])  # the thread cannot be cancelled and would leave processes running
        media.close()
        raise
    return Serving(engine, media)


def media_pool(settings: Settings, modalities: Mapping[str, Modality]) -> MediaPool:
    """Return the pool of media processes of the settings, not started; also for a model without file inputs."""
    limits = Limits(settings.media_limits(), settings.media_seconds, settings.media_memory_bytes)
    return MediaPool(modalities, limits, settings.media_processes, settings.max_waiting_media)


def _decoders(processor: Processor) -> dict[str, Any]:
    """Return what media processes depend on: name and configuration of each peripheral with file inputs."""
    found = processor.modalities.items()
    return {name: each.config for name, each in found if any(form.upload for form in each.forms.values())}


def decode(times: Stopwatch, upload: Upload, sandbox: Sandbox) -> Any:
    """Decode an upload and measure the time as stage ``decode_media``; the file's name is ignored.

    Raises:
        InputError: the file cannot be decoded.
        ClosedError: the sandbox has been closed.
    """
    with times.stage("decode_media"), upload.naming():
        return sandbox.decode(upload.peripheral, upload.form, upload.file.read())
