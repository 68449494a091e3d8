"""The FastAPI application: middleware, routes and lifecycle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from omninet.app.backend import Backend
from omninet.app.http.application import Application
from omninet.app.http.error_responses import add_error_handlers
from omninet.app.http.keys import Keyring
from omninet.app.http.middleware.api_keys import ApiKeys
from omninet.app.http.middleware.body_limit import BodyLimit
from omninet.app.http.middleware.cors import Cors
from omninet.app.http.middleware.failures import ErrorResponses
from omninet.app.http.middleware.metrics import RequestMetrics
from omninet.app.http.middleware.prefix import PathPrefix
from omninet.app.http.middleware.rate_limit import RateLimit
from omninet.app.http.middleware.request_log import RequestLog
from omninet.app.http.middleware.security_headers import SecurityHeaders
from omninet.app.http.middleware.upload_time import UploadTime
from omninet.app.http.rate_limits import RateLimits
from omninet.app.http.routers import admin, batch, system
from omninet.app.http.routers.common import SECURITY
from omninet.app.http.routers.search import SearchRoutes
from omninet.app.http.routers.tasks import TaskRoutes
from omninet.app.http.samples import STATIC
from omninet.app.http.service import Service
from omninet.app.local.backend import LocalBackend
from omninet.app.search.service import IndexService
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.model.errors import CheckpointError, ConfigError, install_command
from omninet.model.extensions import load_extensions
from omninet.model.network_config import OmniNetConfig

if TYPE_CHECKING:
    from omninet.app.engine.engine import Engine
    from omninet.app.telemetry.tracing import Traces

DESCRIPTION = "One network for images, videos, speech and text. The web page to try it is at [{page}]({page})."


def create_app(settings: Settings, engine: Engine | None = None, backend: Backend | None = None) -> FastAPI:
    """Build the application. The model is loaded when the application starts; the routes follow the loaded model.

    Args:
        settings: of the service; ``Settings()`` reads them from the environment.
        engine: used in place of an engine loaded by the settings; started and stopped with the application.
        backend: used in place of a model managed by this server.

    Raises:
        ConfigError: the API keys are invalid, or the packages for traces are not installed.
    """
    load_extensions()
    traces, keys = _traces(settings), settings.keyring()
    metrics, tasks, index = Metrics(), TaskRoutes(), IndexService(settings)
    search = SearchRoutes(index)

    def serve(network: OmniNetConfig) -> None:
        tasks.serve(network)
        search.serve(network)

    serve(engine.processor.config.network if engine else _configured_network(settings))
    if backend is None:
        backend = local = LocalBackend(settings, metrics, engine)
        local.on_model = serve
    service = Service(settings, backend, metrics, traces)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()
        await index.stop()

    app = Application(
        tasks,
        title="OmniNet",
        description=DESCRIPTION.format(page=f"{settings.root_path}/"),
        version=version("omninet"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=_middleware(settings, metrics, keys),
        telemetry=traces.telemetry() if traces else None,
    )
    app.state.service, app.state.keys = service, keys
    add_error_handlers(app)
    secured = [Depends(scheme) for scheme in SECURITY] if keys.required else []
    for router in (tasks.router, batch.router, system.router, search.router):
        app.include_router(router, dependencies=secured)
    app.include_router(admin.router, include_in_schema=keys.has_admin)  # its endpoints require an admin key themselves
    app.include_router(system.health)
    app.mount("/static/swagger-ui", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger-ui")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _configured_network(settings: Settings) -> OmniNetConfig:
    """Return the network of the checkpoint's configuration, for the first routes; the default network without one."""
    try:
        return settings.network()
    except CheckpointError:
        return OmniNetConfig()


def _middleware(settings: Settings, metrics: Metrics, keys: Keyring) -> list[Middleware]:
    """Return the middleware from the outermost to the innermost.

    Request log, metrics and security headers come first, since they apply to every response including errors; the
    prefix of a proxy is set before anything looks at the path. CORS follows: it answers preflight requests, which have
    no key, and lets allowed pages read error responses. ``ErrorResponses`` converts the exceptions of everything below
    it. The rest rejects requests in the order of increasing cost: by key, by rate, then by the time-out and the size of
    the body.
    """
    rates = RateLimits(settings.rate_per_minute, settings.rate_burst)
    return [
        Middleware(RequestLog),
        Middleware(RequestMetrics, metrics=metrics),
        *([Middleware(PathPrefix, prefix=settings.root_path)] if settings.root_path else []),
        Middleware(SecurityHeaders),
        *([Middleware(Cors, origins=settings.cors_origins)] if settings.cors_origins else []),
        Middleware(ErrorResponses),
        Middleware(ApiKeys, keys=keys, rates=rates),
        Middleware(RateLimit, rates=rates),
        Middleware(UploadTime, seconds=settings.upload_seconds),
        Middleware(
            BodyLimit,
            upload=settings.max_upload_bytes,
            batch=settings.max_batch_bytes,
            other=settings.max_text_bytes,
        ),
    ]


def _traces(settings: Settings) -> Traces | None:
    if settings.traces is None:
        return None
    try:
        from omninet.app.telemetry.tracing import Traces
    except ModuleNotFoundError as error:
        message = f"OMNINET_TRACES needs {error.name}, which is not installed: {install_command('otel')}"
        raise ConfigError(message) from error
    return Traces.to(str(settings.traces))
