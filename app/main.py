"""The application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from omninet.app.backend import Backend
from omninet.app.errors import add_error_handlers
from omninet.app.http.keys import Keyring
from omninet.app.http.middleware.api_keys import ApiKeys
from omninet.app.http.middleware.body_limit import BodyLimit
from omninet.app.http.middleware.cors import Cors
from omninet.app.http.middleware.failures import Failures
from omninet.app.http.middleware.metrics import Measured
from omninet.app.http.middleware.rate_limit import RateLimit
from omninet.app.http.middleware.request_log import RequestLog
from omninet.app.http.middleware.security_headers import SecurityHeaders
from omninet.app.http.middleware.upload_time import UploadTime
from omninet.app.http.rate_limits import RateLimits
from omninet.app.http.routers import admin, system
from omninet.app.http.routers.common import bearer
from omninet.app.http.routers.tasks import TaskRoutes
from omninet.app.http.samples import STATIC
from omninet.app.http.service import Service
from omninet.app.local.lifecycle import Keeper
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.extensions import load_extensions
from omninet.model.network_config import OmniNetConfig
from omninet.model.storage.layout import skim

if TYPE_CHECKING:
    from omninet.app.engine.engine import Engine
    from omninet.app.telemetry.tracing import Traces

# Of the contract with clients, not of the package: it changes with the names and shapes of the JSON.
API_VERSION = "1.0"
DESCRIPTION = "One network for images, videos and text. The page to try it on is at [/](/)."


def create_app(settings: Settings, engine: Engine | None = None, backend: Backend | None = None) -> FastAPI:
    """Build the service; nothing is loaded before it is started. Its routes follow the model that is served.

    Args:
        settings: every setting has a default, ``Settings()`` reads the environment.
        engine: answers in place of one made from the settings; it is started and stopped with the application.
        backend: answers in place of a model in the care of this server.

    Raises:
        ConfigError: the keys of the settings make no sense, or what traces need is not installed.
    """
    load_extensions()
    traces, keys = _traces(settings), settings.keyring()
    metrics, tasks = Metrics(), TaskRoutes()
    tasks.serve(engine.processor.config.network if engine else _expected(settings))
    if backend is None:
        backend = keeper = Keeper(settings, metrics, engine)
        keeper.on_model = tasks.serve
    service = Service(settings, backend, metrics, traces)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="OmniNet",
        description=DESCRIPTION,
        version=API_VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=_middleware(settings, metrics, keys),
        telemetry=traces.telemetry() if traces else None,
    )
    app.state.service, app.state.keys = service, keys
    add_error_handlers(app)
    secured = [Depends(bearer)] if keys.required else []
    for router in (tasks.router, system.router):
        app.include_router(router, dependencies=secured)
    app.include_router(admin.router, include_in_schema=keys.has_admin)  # asks for a key by itself
    app.include_router(system.health)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _expected(settings: Settings) -> OmniNetConfig:
    """What the folder of the checkpoint says that it has; where it says nothing, what this code knows."""
    try:
        return skim(settings.checkpoint_folder()).network
    except CheckpointError:
        return OmniNetConfig()


def _middleware(settings: Settings, metrics: Metrics, keys: Keyring) -> list[Middleware]:
    """What every request passes, from the outside in.

    Outermost are those that concern every answer, refusals and failures too: the id and the log, the figures, the
    headers. CORS answers preflights, which have no key, and lets the pages that it allows read refusals as well. All
    that is raised from there on becomes an answer in ``Failures``. Then a request is refused for as little work as
    possible: by its key, by the rate of that key, and only then by its body, in time and in size.
    """
    rates = RateLimits(settings.rate_per_minute, settings.rate_burst)
    return [
        Middleware(RequestLog),
        Middleware(Measured, metrics=metrics),
        Middleware(SecurityHeaders),
        *([Middleware(Cors, origins=settings.cors_origins)] if settings.cors_origins else []),
        Middleware(Failures),
        Middleware(ApiKeys, keys=keys, rates=rates),
        Middleware(RateLimit, rates=rates),
        Middleware(UploadTime, seconds=settings.upload_seconds),
        Middleware(BodyLimit, upload=settings.max_upload_bytes, other=settings.max_text_bytes),
    ]


def _traces(settings: Settings) -> Traces | None:
    if settings.traces is None:
        return None
    try:
        from omninet.app.telemetry.tracing import Traces
    except ModuleNotFoundError as error:
        message = f"OMNINET_TRACES needs {error.name}, which is not installed: pip install 'omninet[otel]'"
        raise ConfigError(message) from error
    return Traces.to(str(settings.traces))
