"""Tests of a model that gives its memory back while there are no requests."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from omninet.app.http.routers.common import require_admin
from omninet.app.local.backend import LocalBackend
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.storage.layout import WEIGHTS
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import until_ready
from tests.app.local.test_reload import client as client  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.anyio
POS = {"text": "A dog runs through the grass."}


@pytest.fixture
def folder(toy: Checkpoint, tmp_path: Path) -> Path:
    """Return a checkpoint folder that a test may change."""
    save(toy, tmp_path / "served")
    return tmp_path / "served"


@pytest.fixture
def served(folder: Path) -> FastAPI:
    """Return an application whose model rests after half a second."""
    application = create_app(Settings(checkpoint=folder, device="cpu", torch_threads=1, idle_seconds=1.0))
    application.dependency_overrides[require_admin] = lambda: None
    return application


def model_processes() -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children() if process.name == "model"}


async def until_resting(served: FastAPI) -> None:
    backend: LocalBackend = served.state.service.backend
    async with asyncio.timeout(20):
        while backend.engine().is_alive or backend.launched is None:
            await asyncio.sleep(0.02)


async def answer(client: httpx.AsyncClient) -> list[str]:
    """Return the tags that the model gives; their probabilities depend on the batch in the last digits."""
    response = await client.post("/pos", json=POS)
    assert response.status_code == 200, response.text
    return [token["tag"] for sentence in response.json()["sentences"] for token in sentence["tokens"]]


async def test_a_resting_model_answers_again(
    served: FastAPI, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="omninet.app.local.backend")
    awake = model_processes()
    expected = await answer(client)

    await until_resting(served)

    assert not awake & model_processes()
    assert (await client.get("/readyz")).status_code == 200
    assert (await client.get("/tasks")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200
    assert not served.state.service.backend.engine().is_alive  # none of these wakes it
    assert await asyncio.gather(*(answer(client) for _ in range(3))) == [expected] * 3
    assert sum("is ready on" in record.message for record in caplog.records) == 1


async def test_a_model_in_use_does_not_rest(served: FastAPI, client: httpx.AsyncClient) -> None:
    awake = model_processes()
    for _ in range(8):
        await answer(client)
        await asyncio.sleep(0.2)
    assert model_processes() == awake


async def test_a_resting_model_is_reloaded(served: FastAPI, client: httpx.AsyncClient) -> None:
    await until_resting(served)
    assert (await client.post("/admin/reload")).status_code == 200
    assert served.state.service.backend.engine().is_alive
    assert len(model_processes()) == 1


async def test_a_model_that_cannot_be_loaded_again(served: FastAPI, client: httpx.AsyncClient, folder: Path) -> None:
    expected = await answer(client)
    await until_resting(served)
    kept = (folder / WEIGHTS).read_bytes()

    (folder / WEIGHTS).write_bytes(kept[:-1])
    check(await client.post("/pos", json=POS), 503, "not_ready")
    (folder / WEIGHTS).write_bytes(kept)

    assert await answer(client) == expected


async def test_a_service_that_stops_while_it_starts_the_next_process(served: FastAPI) -> None:
    async with talking_to(served) as client:
        await until_ready(client)
        first = model_processes()
        async with asyncio.timeout(20):
            while not model_processes() - first:
                await asyncio.sleep(0)
    assert not model_processes()


async def test_a_service_that_stops_while_its_model_rests(served: FastAPI) -> None:
    async with talking_to(served) as client:
        await until_ready(client)
        await until_resting(served)
    assert not model_processes()
