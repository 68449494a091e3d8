"""Lifecycle of the model on this server: load, restart after a crash, reload, and unload while it is idle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.app.answering import AnyEngine, describe
from omninet.app.backend import Description, Notify, Prediction, Query
from omninet.app.errors import ServiceError
from omninet.app.local.launch import LaunchedProcess
from omninet.app.local.process_client import ModelProcess
from omninet.app.local.serving import Serving, load, opened
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.errors import OmniNetError
from omninet.model.network_config import OmniNetConfig

if TYPE_CHECKING:
    from omninet.app.engine.engine import Engine

logger = logging.getLogger(__name__)
RETRY_S = 1.0


class LocalBackend:
    """Backend that manages one model: loads it in the background, restarts it after a crash and reloads it.

    A model that has had no request for ``idle_seconds`` of the settings rests: its process ends, and another one, which
    has imported torch, waits for the next request, so that loading takes little time.

    Args:
        settings: of the service.
        metrics: receives reloads, restarts and the state of the model.
        engine: used in place of the checkpoint of the settings; None loads that checkpoint in a child process.

    Attributes:
        failure: exception of the first load, if it failed.
        on_failure: called after the first load has failed.
        on_model: called with the network's configuration whenever a model is put into service.
        launched: model process for the next load: for the first it has checked the settings; None starts one.
    """

    def __init__(self, settings: Settings, metrics: Metrics, engine: Engine | None = None) -> None:
        self.settings, self.metrics = settings, metrics
        metrics.watch_service(settings.deadline_seconds, settings.max_waiting_rows, self.is_ready)
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_model: Callable[[OmniNetConfig], None] = lambda _: None
        self.launched: LaunchedProcess | None = None
        self._given = engine
        self._serving: Serving | None = None
        self._loading: asyncio.Task[Any] | None = None
        # References to the tasks, since asyncio keeps weak references only.
        self._hangup: asyncio.Task[None] | None = None
        self._reviving: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_resting = False

    async def start(self) -> None:
        """Start loading the model; return before it is loaded. A given engine is started at once."""
        if self._given is None:
            self._loading = asyncio.create_task(self._load())
            if seconds := self.settings.idle_seconds:
                self._watching = asyncio.create_task(self._rest_when_idle(seconds))
            return
        serving = await opened(self.settings, self._given)
        self._given.start()
        self._take_over(serving)
        self._given = None

    async def stop(self) -> None:
        """Cancel loading, complete the accepted requests, then stop the model."""
        for task in (self._watching, self._reviving, self._loading):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._serving is not None:
            await self._serving.stop()
        if self._is_resting and self.launched is not None:
            await asyncio.to_thread(self.launched.close)

    async def predict(self, query: Query, times: Stopwatch, notify: Notify | None = None) -> Prediction:
        """Process a request by the current model, even if a reload replaces it meanwhile. See Backend.predict."""
        return await (await self._awake()).decode_and_predict(query, times, notify)

    async def predict_all(
        self, queries: Sequence[Query], times: Stopwatch
    ) -> tuple[list[Prediction], Mapping[str, Any]]:
        """Process several requests about the same uploads by the current model. See Backend.predict_all."""
        return await (await self._awake()).decode_and_predict_all(queries, times)

    async def describe(self) -> Description:
        """Return the description of the current model.

        Raises:
            ServiceError: ``not_ready``.
        """
        return describe(self.engine())

    def engine(self) -> AnyEngine:
        """Return the current engine, which a reload may replace at any time; the process of a resting one has ended.

        Raises:
            ServiceError: ``not_ready``.
        """
        return self._ready().engine

    async def metrics_text(self) -> bytes:
        """Return the metrics of the model in the Prometheus text format; empty before a model is loaded."""
        return await self._serving.engine.metrics_text() if self._serving else b""

    async def reload(self) -> Description:
        """Load the checkpoint again and switch to it; return when the old model has been unloaded.

        Raises:
            ServiceError: ``not_ready``, ``reload_running`` or ``reload_failed``; the old model stays.
        """
        try:
            return await asyncio.shield(self._begin_reload())  # the reload continues if the client disconnects
        except ServiceError as error:
            logger.warning("the checkpoint was not reloaded: %s", error.message)
            raise

    def reload_soon(self) -> None:
        """Start a reload in the background (SIGHUP); its result is logged."""
        self._hangup = asyncio.create_task(self._reload_quietly())

    def is_ready(self) -> bool:
        """Whether a model is loaded and healthy, or rests."""
        with suppress(ServiceError):
            return self._is_resting or self.engine().is_alive
        return False

    def _loaded(self) -> Serving:
        if self._serving is None:
            raise ServiceError(
                503, "not_ready", "the model is still being loaded; try again in a moment", {"Retry-After": "2"}
            )
        return self._serving

    def _ready(self) -> Serving:
        if not ((serving := self._loaded()).engine.is_alive or self._is_resting):
            raise ServiceError(
                503,
                "not_ready",
                "the model has failed and is being restarted; try again in a moment",
                {"Retry-After": "2"},
            )
        return serving

    def _take_over(self, serving: Serving) -> None:
        """Send all requests from now on to ``serving``."""
        self._serving, engine, self._is_resting = serving, serving.engine, False
        if isinstance(engine, ModelProcess):
            engine.on_end = self._revive_soon
            if not engine.is_alive:  # it died before on_end was set
                self._revive_soon()
        name, version = engine.processor.name, engine.processor.version
        self.on_model(engine.processor.config.network)
        self.metrics.watch_media(serving.media)
        self.metrics.serves(name, version, engine.precision)
        logger.info("%s %s is ready on %s", name, version, ", ".join(engine.devices))

    async def _rest_when_idle(self, seconds: float) -> None:
        """End the model's process each time there has been no request for a while."""
        while True:
            serving = self._serving
            is_used = serving is None or self._is_resting or self._loading is not None or not serving.engine.is_alive
            idle = 0.0 if serving is None or is_used else serving.idle_seconds()
            if serving is not None and idle >= seconds:
                await self._rest(serving)
            await asyncio.sleep(max(seconds - idle, seconds / 10))

    async def _rest(self, serving: Serving) -> None:
        logger.info("no request for %.0f s: the model gives its memory back", serving.idle_seconds())
        self._is_resting = True
        await serving.engine.stop()
        launching = asyncio.create_task(asyncio.to_thread(LaunchedProcess))
        try:
            launched = await asyncio.shield(launching)
        except asyncio.CancelledError:  # the service stops, but its thread goes on
            await asyncio.to_thread((await launching).close)
            raise
        if self._is_resting:
            self.launched = launched
        else:  # a request came meanwhile and has started another process
            await asyncio.to_thread(launched.close)

    async def _awake(self) -> Serving:
        """Return the current model; load it again if it rests.

        Raises:
            ServiceError: ``not_ready``.
        """
        while self._is_resting:
            if self._loading is None:
                self._loading = asyncio.create_task(self._wake(self._loaded()))
                self._loading.add_done_callback(self._forget_loading)
            await asyncio.wait([self._loading])  # it goes on if the client disconnects
            if self._is_resting:
                raise ServiceError(503, "not_ready", "the model could not be loaded again", {"Retry-After": "2"})
        return self._ready()

    async def _wake(self, old: Serving) -> None:
        try:
            new = await self._load_again(old)
        except Exception:
            logger.exception("the model could not be loaded again")
        else:
            self._take_over(new)
            await old.retire(new)

    async def _load_again(self, old: Serving) -> Serving:
        """Load the checkpoint, in the process that waits for it if the model rests. See load for the errors."""
        launched, self.launched = self.launched, None
        if launched is None:
            return await load(self.settings, old)
        try:
            await asyncio.to_thread(launched.load, self.settings)
        except BaseException:
            launched.close()
            raise
        return await load(self.settings, old, launched)

    def _revive_soon(self) -> None:
        self._reviving = asyncio.create_task(self._revive())

    async def _revive(self) -> None:
        """Load the model again after its process has died; wait for a running reload first, which may replace it."""
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
                logger.exception("the restart of the model failed; trying again")
                await asyncio.sleep(RETRY_S)
            else:
                self._take_over(new)
                await old.retire(new)

    async def _load(self) -> None:
        try:
            launched, self.launched = self.launched, None
            self._take_over(await load(self.settings, launched=launched))
        except Exception as error:
            if not isinstance(error, OmniNetError):
                logger.exception("loading the model failed")
            self.failure = error
            self.on_failure()
        self._loading = None

    async def _reload_quietly(self) -> None:
        with suppress(ServiceError):
            await self.reload()

    def _begin_reload(self) -> asyncio.Task[Description]:
        old = self._loaded()
        if self._loading is not None:
            raise ServiceError(409, "reload_running", "a reload is running already; wait for its end")
        self._loading = reloading = asyncio.create_task(self._reload(old))
        reloading.add_done_callback(self._forget_loading)
        return reloading

    async def _reload(self, old: Serving) -> Description:
        try:
            new = await self._load_again(old)
        except Exception as error:
            # Not raised here: the task would keep the exception, whose traceback keeps all local variables in memory.
            failure = _reload_failed(error, self.settings.checkpoint_folder())
        else:
            self.metrics.reloads.labels("succeeded").inc()
            self._take_over(new)
            await old.retire(new)
            return describe(new.engine)
        self.metrics.reloads.labels("failed").inc()
        raise failure

    def _forget_loading(self, _: object) -> None:
        self._loading = None


def _reload_failed(error: Exception, folder: Path) -> ServiceError:
    """Return the error for clients, with the checkpoint's name in place of its path, which is private."""
    if isinstance(error, OmniNetError):
        reason = str(error).replace(str(folder), folder.absolute().name)
    else:
        logger.error("the reload of the checkpoint failed", exc_info=error)
        reason = "see the server log for the traceback"
    return ServiceError(409, "reload_failed", f"reload failed, the former model stays in service: {reason}")
