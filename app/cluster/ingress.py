"""The Ray deployment that serves HTTP, with the routes of a single server."""

from __future__ import annotations

import os
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from omninet.app.cluster.backend import ClusterBackend
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.app.variables import log_unknown


def _with_shared_index(settings: Settings) -> Settings:
    """Return the settings without the index in a folder, which has one owner: replicas share one in a database."""
    if settings.index_url.get_secret_value():
        return settings
    return settings.model_copy(update={"index": "none"})


class Ingress:
    """The HTTP application, with decoder and model in deployments of their own.

    Args:
        decoder: handle of the decoder deployment.
        model: handle of the model deployment.
    """

    def __init__(self, decoder: DeploymentHandle[Any], model: DeploymentHandle[Any]) -> None:
        configure_logs()
        log_unknown(os.environ)
        self._settings = _with_shared_index(Settings())
        self._backend = ClusterBackend(decoder, model)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        app: Any = create_app(self._settings, backend=self._backend)
        if trusted := list(self._settings.trusted_proxies):
            app = ProxyHeadersMiddleware(app, trusted)
        asgi: ASGIApp = app
        return asgi
