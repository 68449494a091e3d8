"""What the endpoints share: from a request's input to the model's answer, with the time each stage took."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import torch
from fastapi import Depends, Request, UploadFile
from starlette.concurrency import run_in_threadpool

from app.deadline import seconds_of, within
from app.disconnect import until_disconnected
from app.engine import Engine
from app.errors import ServiceError
from app.media import MediaPool
from app.metrics import Metrics
from app.sandbox import Limits, MediaKind, Sandbox
from app.settings import Settings
from app.stopwatch import Stopwatch
from app.texts import check_length
from model.answers import Answer
from model.errors import OmniNetError
from model.predictor import Job, Predictor

if TYPE_CHECKING:
    from app.tracing import Traces

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """An answer, the predictor that gave it, and milliseconds by stage."""

    answer: Answer
    predictor: Predictor
    timings: dict[str, float]


class Service:
    """The model behind the endpoints.

    Args:
        engine: used as it is; None loads the checkpoint of the settings in the background.
        traces: of the requests, if somebody wants them.

    Attributes:
        failure: why the model could not be loaded, if it could not.
        on_failure: called then.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None, traces: Traces | None = None) -> None:
        self.settings = settings
        self.traces = traces
        self.metrics = engine.metrics if engine else Metrics()
        self.metrics.watch_service(settings.deadline_seconds, settings.max_waiting_rows, self.is_ready)
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._engine = engine
        self._ready = False
        self._loading: asyncio.Task[None] | None = None
        self._media: MediaPool | None = None

    async def start(self) -> None:
        """Begin to serve; returns before a model is loaded."""
        if self._engine is not None:
            self._engine.start()
            await self._open(self._engine)
        else:
            self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        """Answer what was accepted, then end."""
        if self._loading is not None:
            self._loading.cancel()
        if self._engine is not None:
            await self._engine.stop()
        if self._media is not None:
            self._media.close()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)

    def engine(self) -> Engine:
        """The engine, once it takes jobs.

        Raises:
            ServiceError: ``not_ready``.
        """
        if self._engine is None or not self._ready:
            raise ServiceError(503, "not_ready", "the model is still being loaded", {"Retry-After": "2"})
        if not self._engine.is_alive:
            raise ServiceError(503, "not_ready", "the model has failed and is being restarted", {"Retry-After": "2"})
        return self._engine

    def is_ready(self) -> bool:
        """Whether there is an engine that takes jobs."""
        with suppress(ServiceError):
            return self.engine().is_alive
        return False

    async def answer(
        self,
        request: Request,
        task: str,
        *,
        image: UploadFile | None = None,
        video: UploadFile | None = None,
        **others: Any,
    ) -> Answered:
        """Answer one request; its work is dropped if the client goes away.

        Args:
            request: watched until the answer is there.
            task: name in ``model.tasks.TASKS``.
            image: as uploaded.
            video: as uploaded.
            others: the other inputs of ``Predictor.prepare``.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``text_too_long``, ``question_too_long``, ``not_ready``, ``overloaded``, ``shutting_down``,
                ``deadline_exceeded`` or ``internal_error``.
        """
        check_length(others, self.settings.max_text_characters)
        seconds = seconds_of(request.headers, self.settings.deadline_seconds)
        answered = await until_disconnected(request, within(seconds, self._answer(task, image, video, others)))
        self.metrics.answered(request.scope["route"].path, answered.timings)
        return answered

    async def _answer(
        self, task: str, image: UploadFile | None, video: UploadFile | None, others: dict[str, Any]
    ) -> Answered:
        engine, times = self.engine(), Stopwatch(self.traces.request(task) if self.traces else None)
        predictor = engine.predictor
        if (upload := image or video) is not None:
            assert self._media is not None
            work = partial(_prepare_media, predictor, task, times, others, "image" if image else "video", upload.file)
            job = await self._media.run(work)
        else:
            job = await run_in_threadpool(_prepare, predictor, task, times, others)
        result = await engine.run(job)
        answer = predictor.finish(job, result.decoded)
        times.note(tokens=sum(len(row.tokens) for row in result.decoded), batch_rows=result.batch_rows)
        return Answered(answer, predictor, times.stages(encode=result.encode_ms, decode=result.decode_ms))

    async def _open(self, engine: Engine) -> None:
        """Take requests from now on."""
        settings = self.settings
        limits = Limits(settings.media_limits(), settings.media_seconds, settings.media_memory_bytes)
        vision = engine.predictor.vision
        self._media = MediaPool(vision, limits, settings.media_processes, settings.max_waiting_media)
        await asyncio.to_thread(self._media.start)
        self.metrics.watch_media(self._media)
        self.metrics.serves(engine.predictor.name, engine.predictor.version, str(engine.predictor.dtype))
        self._ready = True

    async def _load(self) -> None:
        try:
            predictor = await asyncio.to_thread(_load_predictor, self.settings)
            self._engine = Engine(
                [predictor],
                self.metrics,
                batch_rows=self.settings.batch_rows,
                max_waiting=self.settings.max_waiting_rows,
            )
            self._engine.start()
            await self._engine.warm_up()
            await self._open(self._engine)
        except Exception as error:
            if not isinstance(error, OmniNetError):
                logger.exception("the model could not be loaded")
            self.failure = error
            self.on_failure()
        else:
            logger.info("%s %s is ready on %s", predictor.name, predictor.version, predictor.device)


def get_service(request: Request) -> Service:
    """The service of the application that the request came to."""
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(get_service)]


def _load_predictor(settings: Settings) -> Predictor:
    # Steps of the decoder are too small for many threads, and media and HTTP want a core as well.
    torch.set_num_threads(settings.torch_threads or max(1, (os.cpu_count() or 1) - 1))
    return Predictor.load(
        settings.checkpoint, device=settings.device, precision=settings.precision, limits=settings.media_limits()
    )


def _prepare(predictor: Predictor, task: str, times: Stopwatch, inputs: Mapping[str, Any]) -> Job:
    with times.stage("prepare"):
        return predictor.prepare(task, **inputs)


def _prepare_media(
    predictor: Predictor,
    task: str,
    times: Stopwatch,
    others: Mapping[str, Any],
    kind: MediaKind,
    file: BinaryIO,
    sandbox: Sandbox,
) -> Job:
    with times.stage("decode_media"):
        seen = sandbox.decode(kind, file.read())  # the name of the file is never looked at
    return _prepare(predictor, task, times, {kind: seen, **others})
