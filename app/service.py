"""What the endpoints share: from a request's input to the model's answer, with the time each stage took."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from fastapi import Depends, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from torch import Tensor

from app.deadline import seconds_of, within
from app.disconnect import until_disconnected
from app.engine import Engine
from app.errors import ServiceError
from app.metrics import Metrics
from app.model_process import ModelProcess
from app.sandbox import MediaKind, Sandbox
from app.serving import AnyEngine, Serving, load, opened
from app.settings import Settings
from app.stopwatch import Stopwatch
from app.texts import check_length
from model.answers import Answer, Tagging, Text
from model.errors import OmniNetError
from model.explaining import Explanation
from model.processor import Job, Processor

if TYPE_CHECKING:
    from app.tracing import Traces

logger = logging.getLogger(__name__)
RETRY_S = 1.0


@dataclass(frozen=True)
class Answered:
    """An answer, of which model it is, and milliseconds by stage.

    Attributes:
        frames: that it is about, uint8 (t, 3, size, size), where they are to be shown.
    """

    answer: Answer
    processor: Processor
    timings: dict[str, float]
    frames: Tensor | None = None

    @property
    def explanation(self) -> Explanation | None:
        """What it attended to, if that was asked for."""
        return None if isinstance(self.answer, Tagging) else self.answer.explanation


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
        self.metrics = Metrics()
        self.metrics.watch_service(settings.deadline_seconds, settings.max_waiting_rows, self.is_ready)
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._given = engine
        self._serving: Serving | None = None
        self._loading: asyncio.Task[Any] | None = None
        # Kept, else they could be collected as garbage.
        self._hangup: asyncio.Task[None] | None = None
        self._reviving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve; returns before a model is loaded."""
        if self._given is None:
            self._loading = asyncio.create_task(self._load())
            return
        serving = await opened(self.settings, self._given)
        self._given.start()
        self._take_over(serving)
        self._given = None

    async def stop(self) -> None:
        """Answer what was accepted, then end."""
        for task in (self._reviving, self._loading):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._serving is not None:
            await self._serving.stop()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)

    def engine(self) -> AnyEngine:
        """The engine that takes jobs now; it may be another one a moment later.

        Raises:
            ServiceError: ``not_ready``.
        """
        return self._ready().engine

    async def figures(self) -> bytes:
        """All of them, those of the model included, as Prometheus reads them."""
        return self.metrics.text() + (await self._serving.engine.figures() if self._serving else b"")

    async def reload(self) -> Processor:
        """Serve what is in the checkpoint's folder now; returns when nothing is left of what was served before.

        Raises:
            ServiceError: ``not_ready``, ``reload_running``, or ``reload_failed``, and all is as before.
        """
        try:
            return await asyncio.shield(self._begin_reload())  # it goes on if the client goes away
        except ServiceError as error:
            logger.warning("no reload: %s", error.message)
            raise

    def reload_soon(self) -> None:
        """The same, where nobody waits for it; the log says how it went."""
        self._hangup = asyncio.create_task(self._reload_quietly())

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
        return await until_disconnected(request, self._in_time(request, task, others, image=image, video=video))

    async def stream(self, request: Request, task: str, **inputs: Any) -> AsyncIterator[Text | Answered]:
        """What is settled of a text, whenever that is more, and last the whole answer; left early, the work is dropped.

        Args:
            inputs: as those of ``answer``.

        Raises:
            InputError, ServiceError: as ``answer``.
        """
        told: asyncio.Queue[Text | None] = asyncio.Queue()
        media = {name: inputs.pop(name, None) for name in ("image", "video")}
        answering = asyncio.create_task(self._in_time(request, task, inputs, **media, tell=told.put_nowait))
        answering.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (text := await told.get()) is not None:
                yield text
            yield await answering
        finally:
            answering.cancel()

    async def _in_time(self, request: Request, task: str, others: dict[str, Any], **inputs: Any) -> Answered:
        check_length(others, self.settings.max_text_characters)
        seconds = seconds_of(request.headers, self.settings.deadline_seconds)
        answered = await within(seconds, self._answer(task, others, **inputs))
        self.metrics.answered(request.scope["route"].path, answered.timings)
        return answered

    async def _answer(
        self,
        task: str,
        others: dict[str, Any],
        *,
        image: UploadFile | None,
        video: UploadFile | None,
        tell: Callable[[Text], None] | None = None,
    ) -> Answered:
        serving, times = self._ready(), Stopwatch(self.traces.request(task) if self.traces else None)
        engine, processor = serving.engine, serving.engine.processor
        with serving.in_use():
            if (upload := image or video) is not None:
                kind: MediaKind = "image" if image else "video"
                job = await serving.media.run(
                    partial(_prepare_media, processor, task, times, others, kind, upload.file)
                )
            else:
                job = await run_in_threadpool(_prepare, processor, task, times, others)
            result = await engine.run(job, tell and (lambda settled: tell(processor.text_of(settled))))
            answer = processor.finish(job, result.decoded)
        times.note(tokens=sum(len(row.tokens) for row in result.decoded), batch_rows=result.batch_rows)
        frames = job.rows[0].inputs[0][1] if others.get("explain") else None
        return Answered(answer, processor, times.stages(encode=result.encode_ms, decode=result.decode_ms), frames)

    def _loaded(self) -> Serving:
        if self._serving is None:
            raise ServiceError(503, "not_ready", "the model is still being loaded", {"Retry-After": "2"})
        return self._serving

    def _ready(self) -> Serving:
        if not (serving := self._loaded()).engine.is_alive:
            raise ServiceError(503, "not_ready", "the model has failed and is being restarted", {"Retry-After": "2"})
        return serving

    def _take_over(self, serving: Serving) -> None:
        """Let it answer all requests that come from now on."""
        self._serving, engine = serving, serving.engine
        if isinstance(engine, ModelProcess):
            engine.on_end = self._revive_soon
            if not engine.is_alive:  # it has ended in the meantime
                self._revive_soon()
        name, version = engine.processor.name, engine.processor.version
        self.metrics.watch_media(serving.media)
        self.metrics.serves(name, version, engine.precision)
        logger.info("%s %s is ready on %s", name, version, ", ".join(engine.devices))

    def _revive_soon(self) -> None:
        self._reviving = asyncio.create_task(self._revive())

    async def _revive(self) -> None:
        """Load the model again whose process has ended; where a reload is under way already, that may do."""
        self.metrics.revivals.inc()
        while not (old := self._loaded()).engine.is_alive:
            if self._loading is not None:
                await asyncio.wait([self._loading])
                continue
            self._loading = asyncio.create_task(load(self.settings, old))
            self._loading.add_done_callback(self._forget_loading)
            try:
                new = await self._loading
            except Exception:
                logger.exception("the model cannot be loaded again yet")
                await asyncio.sleep(RETRY_S)
            else:
                self._take_over(new)
                await old.retire(new)

    async def _load(self) -> None:
        try:
            self._take_over(await load(self.settings))
        except Exception as error:
            if not isinstance(error, OmniNetError):
                logger.exception("the model could not be loaded")
            self.failure = error
            self.on_failure()
        self._loading = None

    async def _reload_quietly(self) -> None:
        with suppress(ServiceError):
            await self.reload()

    def _begin_reload(self) -> asyncio.Task[Processor]:
        old = self._loaded()
        if self._loading is not None:
            raise ServiceError(409, "reload_running", "a reload is running already; wait for its end")
        self._loading = reloading = asyncio.create_task(self._reload(old))
        reloading.add_done_callback(self._forget_loading)
        return reloading

    async def _reload(self, old: Serving) -> Processor:
        try:
            new = await load(self.settings, old)
        except Exception as error:
            # A task keeps its exception, and that one all that it came through, such as a model that is too large.
            failure = _reload_failed(error, self.settings.checkpoint_folder())
        else:
            self.metrics.reloads.labels("succeeded").inc()
            self._take_over(new)
            await old.retire(new)
            return new.engine.processor
        self.metrics.reloads.labels("failed").inc()
        raise failure

    def _forget_loading(self, _: object) -> None:
        self._loading = None


async def get_service(request: Request) -> Service:
    """The service of the application that the request came to."""
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(get_service)]


def _reload_failed(error: Exception, folder: Path) -> ServiceError:
    """What a client learns of it: where the folder is stays with us."""
    if isinstance(error, OmniNetError):
        reason = str(error).replace(str(folder), folder.absolute().name)
    else:
        logger.error("the checkpoint could not be reloaded", exc_info=error)
        reason = "it failed in a way that the server's log tells"
    return ServiceError(409, "reload_failed", f"the former model goes on, since the new one cannot be used: {reason}")


def _prepare(processor: Processor, task: str, times: Stopwatch, inputs: Mapping[str, Any]) -> Job:
    with times.stage("prepare"):
        return processor.prepare(task, **inputs)


def _prepare_media(
    processor: Processor,
    task: str,
    times: Stopwatch,
    others: Mapping[str, Any],
    kind: MediaKind,
    file: BinaryIO,
    sandbox: Sandbox,
) -> Job:
    with times.stage("decode_media"):
        seen = sandbox.decode(kind, file.read())  # the name of the file is never looked at
    return _prepare(processor, task, times, {kind: seen, **others})
