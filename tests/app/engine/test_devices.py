"""Tests of an engine with a replica of the model on each of several devices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from omninet.app.engine.engine import Engine
from omninet.app.engine.loading import load_engine, load_predictors
from omninet.app.engine.threads import both_threads, cores, cpu_threads
from omninet.app.engine.work import Work
from omninet.app.errors import ServiceError
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.search import Search
from omninet.model.errors import DeviceError
from omninet.model.job import Job
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Watched, talking_to
from tests.app.engine.test_engine import Gate
from tests.app.engine.test_replica import REQUESTS, assert_same
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import TEXT, until_ready

pytestmark = pytest.mark.anyio


class Faulty:
    """A predictor that can be set to fail on every input."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.works = True
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def run(self, rows: Sequence[Row]) -> list[Decoded]:
        self.runs += 1
        if not self.works:
            raise RuntimeError("out of order")
        return self._predictor.run(rows)


@pytest.fixture
def settings(toy_checkpoint: Path) -> Settings:
    return Settings(checkpoint=toy_checkpoint, device="cpu, cpu", torch_threads=1)


async def test_service_with_two_devices(settings: Settings) -> None:
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        assert (await client.get("/tasks")).json()["model"]["devices"] == ["cpu", "cpu"]
        replies = await asyncio.gather(*[client.post("/pos", json=TEXT) for _ in range(20)])
    assert [reply.status_code for reply in replies] == [200] * 20


def test_each_replica_has_its_own_network(settings: Settings) -> None:
    first, second = load_predictors(settings)
    assert first.network is not second.network
    assert first.digest == second.digest


@pytest.mark.parametrize("busy", [0, 1])
async def test_all_replicas_give_equal_answers(settings: Settings, busy: int) -> None:
    """One replica is blocked by its first jobs; the other must complete all others."""
    gates, predictors = (Gate(), Gate()), load_predictors(settings)
    jobs = [predictors[0].prepare(task, **inputs) for task, inputs in REQUESTS]
    expected = [predictors[0].run(job.rows)[0] for job in jobs]
    replicas: list[Any] = list(predictors)
    replicas[busy] = Stuck(predictors[busy], *gates)
    engine = Engine(replicas)
    engine.start()
    held: list[asyncio.Task[Any]] = []
    try:
        while not all(gate.reached.is_set() for gate in gates):
            held += [asyncio.create_task(engine.run(job)) for job in (jobs[0], jobs[2])]
            await asyncio.sleep(0.01)
        found = await asyncio.gather(*map(engine.run, jobs))
    finally:
        for gate in gates:
            gate.open.set()
        await asyncio.gather(*held)
        await engine.stop()

    for result, decoded in zip(found, expected, strict=True):
        assert_same(result.decoded[0], decoded)


class Stuck:
    """A predictor that blocks in both stages."""

    def __init__(self, predictor: Predictor, encodes: Gate, sees: Gate) -> None:
        self._predictor, self._encodes, self._sees = predictor, encodes, sees

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def admit(self, batch: RunningBatch, rows: Sequence[Row]) -> list[Search]:
        self._encodes(rows)
        return self._predictor.admit(batch, rows)

    def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
        self._sees(())
        return self._predictor.see(frames, peripheral)


def test_each_replica_is_warmed_up(toy_predictor: Predictor) -> None:
    seen: list[list[str]] = [[], []]
    replicas = [
        Watched(toy_predictor, lambda rows, tasks=tasks: tasks.extend(row.goal.task for row in rows))  # type: ignore[misc]
        for tasks in seen
    ]
    Engine(replicas).warm_up()  # type: ignore[arg-type]
    assert [sorted(tasks) for tasks in seen] == [["activity", "caption", "pos", "vqa"]] * 2


async def test_failed_replica_leaves_the_work_to_the_other(
    toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omninet.app.engine.stage.RETRY_S", 0.01)
    predictors = [Faulty(toy_predictor), Faulty(toy_predictor)]
    engine = Engine(predictors)  # type: ignore[arg-type]
    job = toy_predictor.prepare("pos", text="A dog runs.")
    async with talking_to(create_app(Settings(), engine)) as client:
        await fail(engine, 0, job, monkeypatch)
        for _ in range(5):
            assert (await client.post("/pos", json=TEXT)).status_code == 200
        assert (await client.get("/readyz")).status_code == 200

        await fail(engine, 1, job, monkeypatch)
        check(await client.get("/readyz"), 503, "not_ready")
        check(await client.post("/pos", json=TEXT), 503, "not_ready")

        predictors[1].works = True
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200
        assert not engine._replicas[0].is_alive


async def fail(engine: Engine, which: int, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a replica fail at its next job and all later ones."""
    replica = engine._replicas[which]
    monkeypatch.setattr(replica.predictor, "works", False)
    with monkeypatch.context() as patch:
        patch.setattr(replica.cnp, "_drop_abandoned", lambda: 1 / 0)
        while replica.is_alive:
            with suppress(ServiceError):
                await engine.run(job)


async def test_the_end_of_an_engine_that_has_failed_for_good(
    toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Faulty(toy_predictor)
    engine = Engine([predictor])  # type: ignore[list-item]
    job = toy_predictor.prepare("pos", text="A dog runs.")
    engine.start()
    await fail(engine, 0, job, monkeypatch)
    waiting = asyncio.create_task(engine.run(job))
    while predictor.runs < 2:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(engine.stop(), 10)
    with pytest.raises(ServiceError, match="the server failed"):
        await waiting


@pytest.mark.parametrize("device", ["cpu,cuda:99", "cpu,"])
def test_missing_device_is_an_error(settings: Settings, device: str) -> None:
    with pytest.raises(DeviceError, match=r"device '(cuda:99)?'"):
        load_predictors(settings.model_copy(update={"device": device}))


def test_settings_reach_the_engine(settings: Settings) -> None:
    engine = load_engine(settings.model_copy(update={"device": "cpu", "max_waiting_bytes": 1}))
    picture_row, text_row = (engine.processor.prepare(task, **inputs).rows[0] for task, inputs in REQUESTS[3:0:-2])
    engine._queue.put([Work(picture_row)])
    with pytest.raises(ServiceError, match="waiting for the model"):
        engine._queue.put([Work(text_row)])


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omninet.app.engine.threads.cores", lambda: 8)
    assert [cpu_threads(None, replicas) for replicas in (0, 1, 2, 3, 20)] == [4, 4, 2, 1, 1]
    assert cpu_threads(4, 2) == 2
    assert [both_threads(threads) for threads in (1, 4, 6, 10)] == [2, 8, 8, 10]


@pytest.mark.parametrize(
    ("quota", "found"),
    [("max 100000", 4), ("150000 100000", 2), ("200000 100000", 2), ("10000 100000", 1), ("900000 100000", 4), ("", 4)],
)
def test_cores_are_those_that_may_be_used(
    quota: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 4, 6})
    assert cores(tmp_path / "cpu.max") == 4
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores(tmp_path / "cpu.max") == found
