"""Tests of the model process: answers equal to those of an engine here, and the service survives its death."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omninet.app.errors import ServiceError
from omninet.app.local.process_client import ModelProcess
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.errors import CheckpointError
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.engine.test_replica import REQUESTS, assert_same
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import TEXT, until_ready
from tests.app.telemetry.test_metrics import figures, of
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(toy_checkpoint: Path) -> Settings:
    return Settings(checkpoint=toy_checkpoint, device="cpu", torch_threads=1)


@pytest.fixture
async def model(settings: Settings) -> AsyncIterator[ModelProcess]:
    model = await ModelProcess.begin(settings)
    yield model
    await model.stop()


def model_processes() -> list[int]:
    return [p.pid for p in multiprocessing.active_children() if p.name == "model" and p.pid is not None]


async def test_answers_equal_those_of_an_engine_in_this_process(model: ModelProcess, toy_predictor: Predictor) -> None:
    jobs = [model.processor.prepare(task, **inputs) for task, inputs in REQUESTS]
    found = await asyncio.gather(*map(model.run, jobs))
    for result, job in zip(found, jobs, strict=True):
        assert_same(result.decoded[0], toy_predictor.run(job.rows)[0])
    assert (model.devices, model.precision) == (["cpu"], "float32")


async def test_watch_receives_final_prefixes(model: ModelProcess, toy_predictor: Predictor) -> None:
    told: list[tuple[int, ...]] = []
    job = model.processor.prepare("caption", image=jpeg_bytes(), beams=1)

    result = await model.run(job, lambda settled: told.append(settled.tokens))

    tokens = toy_predictor.run(job.rows)[0].tokens
    assert result.decoded[0].tokens == tokens
    assert told == [tuple(tokens[:length]) for length in range(1, len(tokens))]


async def test_cancelled_job_leaves_the_process(model: ModelProcess) -> None:
    job = model.processor.prepare("pos", tokens=[["a"] * 50] * 300)
    running = asyncio.create_task(model.run(job))
    while not of(figures((await model.metrics_text()).decode()), "running_rows"):
        await asyncio.sleep(0.01)
    running.cancel()
    async with asyncio.timeout(60):
        while of(found := figures((await model.metrics_text()).decode()), "running_rows"):
            await asyncio.sleep(0.01)
    assert of(found, "waiting_rows", kind="text") == 0
    assert 0 < of(found, "abandoned_rows_total") <= 32


async def test_stop_completes_accepted_jobs(settings: Settings) -> None:
    model = await ModelProcess.begin(settings)
    job = model.processor.prepare("pos", tokens=[["a"] * 50] * 40)
    running = asyncio.create_task(model.run(job))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(model.stop())
    await asyncio.sleep(0)
    with pytest.raises(ServiceError, match="stopping"):
        await model.run(job)
    assert len((await running).decoded) == 40
    await stopping
    assert model_processes() == []
    assert await model.metrics_text() == b""


async def test_engine_errors_are_passed_on(settings: Settings) -> None:
    model = await ModelProcess.begin(settings.model_copy(update={"max_waiting_rows": 0}))
    with pytest.raises(ServiceError, match="waiting for the model") as refused:
        await model.run(model.processor.prepare("pos", text="A dog."))
    assert (refused.value.status_code, refused.value.code) == (503, "overloaded")
    await model.stop()


async def test_failed_load_leaves_no_process(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint folder"):
        await ModelProcess.begin(settings.model_copy(update={"checkpoint": tmp_path / "nothing"}))
    assert model_processes() == []


async def test_cancelled_load_leaves_no_process(settings: Settings) -> None:
    beginning = asyncio.create_task(ModelProcess.begin(settings))
    while not model_processes():
        await asyncio.sleep(0.01)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert model_processes() == []


async def test_killed_process_is_replaced(settings: Settings) -> None:
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        (pid,) = model_processes()
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.sleep(0.3)
        assert not asked.done()
        assert "omninet_tokens" not in (await client.get("/metrics")).text, "the rest does not wait for it"
        os.kill(pid, signal.SIGKILL)
        check(await asked, 500, "internal_error")
        check(await client.get("/readyz"), 503, "not_ready")
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200
        found = figures((await client.get("/metrics")).text)
        assert of(found, "model_revivals_total") == 1
        assert model_processes() not in ([], [pid])
    assert model_processes() == []


async def test_process_that_died_before_it_took_over_is_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, begun = ModelProcess.begin, []

    async def dies_at_first(settings: Settings, _launched: object = None) -> ModelProcess:
        model = await begin(settings)
        begun.append(model)
        if len(begun) == 1:
            (pid,) = model_processes()
            os.kill(pid, signal.SIGKILL)
            while model.is_alive:
                await asyncio.sleep(0.01)
        return model

    monkeypatch.setattr(ModelProcess, "begin", dies_at_first)
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200
        assert len(begun) == 2
        assert len(model_processes()) == 1


async def test_killed_process_is_restarted_until_it_loads(
    toy: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("omninet.app.local.backend.RETRY_S", 0.05)
    folder, aside = tmp_path / "served", tmp_path / "aside"
    save(toy, folder)
    async with talking_to(create_app(Settings(checkpoint=folder, device="cpu"))) as client:
        await until_ready(client)
        folder.rename(aside)
        (pid,) = model_processes()
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while "the restart of the model failed" not in caplog.text:
                await asyncio.sleep(0.01)
        check(await client.get("/readyz"), 503, "not_ready")
        aside.rename(folder)
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200


async def test_killed_process_during_a_reload_is_loaded_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, going, go_on = ModelProcess.begin, asyncio.Event(), asyncio.Event()
    application = create_app(settings)
    async with talking_to(application) as client:
        await until_ready(client)
        (pid,) = model_processes()

        async def held_up(settings: Settings, _launched: object = None) -> ModelProcess:
            going.set()
            await go_on.wait()
            return await begin(settings)

        monkeypatch.setattr(ModelProcess, "begin", held_up)
        reloading = asyncio.create_task(application.state.service.backend.reload())
        await going.wait()
        os.kill(pid, signal.SIGKILL)
        while (await client.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.wait_for(reloading, 60)
        await until_ready(client)
        assert len(model_processes()) == 1
        assert (await client.post("/pos", json=TEXT)).status_code == 200
    assert model_processes() == []
