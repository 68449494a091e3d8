"""Tests of a model process that hangs: it is noticed by its missing heartbeat, and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import pytest

from omninet.app.local import heartbeat, process_client
from omninet.app.local.heartbeat import Heartbeat
from omninet.app.local.model_messages import Loaded
from omninet.app.local.process_client import ModelProcess
from omninet.app.main import create_app
from omninet.app.processes.messages import AsyncConnection
from omninet.app.settings import Settings
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import TEXT, until_ready
from tests.app.local.test_process_client import model_processes
from tests.app.telemetry.test_metrics import figures, of

pytestmark = pytest.mark.anyio
# Keeps the interpreter busy for longer than the heartbeat may be missing, in the model process alone.
SLOW_MODEL = """
import time
from omninet.app.engine.cnp_stage import CNPStage

original = CNPStage._admit

def admit(self, works):
    end = time.monotonic() + 6 * bool(works)
    while time.monotonic() < end:
        sum(range(10_000))
    return original(self, works)

def extend():
    CNPStage._admit = admit
"""


@pytest.fixture
def settings(toy_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a server that waits for three intervals."""
    monkeypatch.setattr(heartbeat, "MOST_MISSED", 3)
    return Settings(checkpoint=toy_checkpoint, device="cpu", torch_threads=1, media_processes=1)


async def test_process_that_hangs_is_replaced(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        (pid,) = model_processes()
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.sleep(1)
        assert not asked.done()
        async with asyncio.timeout(20):
            check(await asked, 500, "internal_error")
        assert "the model process hangs and is killed: the process has sent nothing for 3 seconds" in caplog.text
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200
        assert of(figures((await client.get("/metrics")).text), "model_revivals_total") == 1
        assert model_processes() not in ([], [pid])
    assert model_processes() == []


@pytest.mark.slow
async def test_long_step_is_not_a_hang(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "slow_model.py").write_text(SLOW_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OMNINET_EXTENSIONS", "slow_model")
    model = await ModelProcess.begin(settings)
    started = time.monotonic()
    result = await model.run(model.processor.prepare("pos", **TEXT))
    assert len(result.decoded) == 1
    assert time.monotonic() - started > 5
    assert "hangs" not in caplog.text
    await model.stop()


async def test_process_that_hangs_while_it_loads_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_checked, load = asyncio.Event(), process_client._loaded

    async def loaded(connection: AsyncConnection) -> Loaded:
        is_checked.set()  # the process has been heard of, and begins to load
        return await load(connection)

    monkeypatch.setattr(process_client, "_loaded", loaded)
    beginning = asyncio.create_task(ModelProcess.begin(settings))
    await is_checked.wait()
    (found,) = model_processes()
    os.kill(found, signal.SIGSTOP)
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="the model process hangs while it loads the model"):
            await beginning
    assert model_processes() == []


async def test_server_stops_although_the_model_hangs(settings: Settings) -> None:
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        (pid,) = model_processes()
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
    assert time.monotonic() - started < 20
    assert model_processes() == []


# ---- the count


async def forever() -> NoReturn:
    while True:
        await asyncio.sleep(60)


async def test_silence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.02)
    with pytest.raises(TimeoutError, match="sent nothing"):
        await Heartbeat().guard(forever())


async def test_result_and_errors_are_passed_on() -> None:
    async def fail() -> None:
        raise EOFError

    assert await Heartbeat().guard(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(EOFError):
        await Heartbeat().guard(fail())


async def test_suspended_machine_is_one_missed_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the machine is suspended neither the server nor the process runs, and then both go on."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.05)
    counted = Heartbeat()

    async def beating() -> str:
        for _ in range(3):
            time.sleep(0.05 * (heartbeat.MOST_MISSED + 10))
            await asyncio.sleep(0.01)
            counted.beat()
        return "done"

    assert await counted.guard(beating()) == "done"
