from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from omninet.app.cli import _listen
from omninet.app.engine.engine import Engine
from omninet.app.http.server import ServerConfig
from omninet.app.local import launch
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.search import Search
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests import preloaded

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package", autouse=True)
def _quick_model_processes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "spawn", preloaded.spawn)
        yield


@asynccontextmanager
async def talking_to(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Start an application and yield a client of it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


@contextmanager
def listening(app: FastAPI, settings: Settings) -> Iterator[tuple[str, int]]:
    """Run a real server of an application and yield its address."""
    server = uvicorn.Server(ServerConfig(app, settings))
    with _listen(settings.host, 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(30)


class Watched:
    """A predictor that can block or fail, and records which rows were encoded together."""

    def __init__(self, predictor: Predictor, before_run: Callable[[Sequence[Row]], None] = lambda _: None) -> None:
        self._predictor = predictor
        self._before_run = before_run
        self.batches: list[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def admit(self, batch: RunningBatch, rows: Sequence[Row]) -> list[Search]:
        self.batches.append([row.goal.task for row in rows])
        self._before_run(rows)
        return self._predictor.admit(batch, rows)

    def run(self, rows: Sequence[Row]) -> list[Decoded]:
        self._before_run(rows)
        return self._predictor.run(rows)


@pytest.fixture
def serve(toy_predictor: Predictor) -> Serve:
    """Return a function that serves the toy model or another predictor with given settings."""

    def start(predictor: Any = toy_predictor, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        chosen = Settings(**settings)
        engine = Engine([predictor], batch_rows=chosen.batch_rows, max_waiting=chosen.max_waiting_rows)
        return talking_to(create_app(chosen, engine))

    return start


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a service with the toy model and default settings."""
    async with serve() as client:
        yield client
