"""Tests of the engine: batching, isolation of failures and back-pressure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from torch import Tensor

from omninet.app.engine.engine import Engine
from omninet.app.engine.result import Result
from omninet.app.errors import ServiceError
from omninet.model.job import Job
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Watched
from tests.samples import image_bytes, jpeg_bytes, picture, video_bytes

pytestmark = pytest.mark.anyio


class Gate:
    """Blocks batches until the event ``open`` is set."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, _: Sequence[Row]) -> None:
        self.reached.set()
        assert self.open.wait(10)


@asynccontextmanager
async def running(predictor: Watched, **settings: int) -> AsyncIterator[Engine]:
    engine = Engine([predictor], **settings)  # type: ignore[list-item]
    engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


@pytest.fixture
def job(toy_predictor: Predictor) -> Job:
    return toy_predictor.prepare("pos", text="A dog runs.")


@pytest.fixture
def long_job(toy_predictor: Predictor) -> Job:
    return toy_predictor.prepare("pos", text=["A dog runs."] * 5)


async def blocked(engine: Engine, gate: Gate, job: Job) -> asyncio.Task[Result]:
    """Start a job that keeps the model busy."""
    first = asyncio.create_task(engine.run(job))
    await asyncio.to_thread(gate.reached.wait, 10)
    return first


async def test_an_idle_engine_starts_at_once_and_a_busy_one_gathers(toy_predictor: Predictor, job: Job) -> None:
    predictor = Watched(toy_predictor, gate := Gate())
    async with running(predictor) as engine:
        first = await blocked(engine, gate, job)
        rest = [asyncio.create_task(engine.run(job)) for _ in range(3)]
        await asyncio.sleep(0.01)
        gate.open.set()
        await asyncio.gather(first, *rest)
    assert [len(batch) for batch in predictor.batches] == [1, 3]


async def test_a_job_may_have_more_rows_than_a_batch(toy_predictor: Predictor, long_job: Job) -> None:
    predictor = Watched(toy_predictor)
    async with running(predictor, batch_rows=2, max_waiting=3) as engine:
        result = await engine.run(long_job)
    assert [len(batch) for batch in predictor.batches] == [2, 2, 1]
    assert len(result.decoded) == 5
    assert result.encode_ms > 0
    assert result.decode_ms > 0


async def test_only_the_failing_row_of_a_batch_fails(
    toy_predictor: Predictor, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    culprit = toy_predictor.prepare("pos", tokens=["fly", "you", "fools"])
    gate = Gate()

    def break_on_culprit(rows: Sequence[Row]) -> None:
        gate(rows)
        if any(row is culprit.rows[0] for row in rows):
            raise RuntimeError("secret")

    async with running(Watched(toy_predictor, break_on_culprit)) as engine:
        first = await blocked(engine, gate, job)
        rest = [asyncio.create_task(engine.run(each)) for each in (job, culprit, job)]
        await asyncio.sleep(0.01)
        gate.open.set()
        await first
        before, failed, after = await asyncio.gather(*rest, return_exceptions=True)
        assert isinstance(failed, ServiceError)
        assert (failed.status_code, failed.code) == (500, "internal_error")
        assert "secret" not in failed.message
        assert "secret" in caplog.text
        assert not isinstance(before, BaseException)
        assert not isinstance(after, BaseException)
        await engine.run(job)  # the engine still works


async def test_full_queue_rejects_with_retry_after(toy_predictor: Predictor, job: Job) -> None:
    predictor = Watched(toy_predictor, gate := Gate())
    async with running(predictor, max_waiting=1) as engine:
        first = await blocked(engine, gate, job)
        second = asyncio.create_task(engine.run(job))
        await asyncio.sleep(0.01)
        with pytest.raises(ServiceError) as refused:
            await engine.run(job)
        assert (refused.value.status_code, refused.value.code) == (503, "overloaded")
        assert refused.value.headers == {"Retry-After": "1"}
        second.cancel()  # which makes room
        await asyncio.sleep(0.01)
        third = asyncio.create_task(engine.run(job))
        await asyncio.sleep(0.01)
        gate.open.set()
        await asyncio.gather(first, third)


async def test_cancelled_work_never_reaches_the_model(toy_predictor: Predictor, job: Job, long_job: Job) -> None:
    predictor = Watched(toy_predictor, gate := Gate())
    async with running(predictor) as engine:
        first = await blocked(engine, gate, job)
        dropped = asyncio.create_task(engine.run(long_job))
        await asyncio.sleep(0.01)
        dropped.cancel()
        last = asyncio.create_task(engine.run(job))
        await asyncio.sleep(0.01)
        gate.open.set()
        await asyncio.gather(first, last)
    assert dropped.cancelled()
    assert [len(batch) for batch in predictor.batches] == [1, 1]


async def test_stopping_answers_what_was_accepted_and_refuses_the_rest(toy_predictor: Predictor, job: Job) -> None:
    predictor = Watched(toy_predictor, gate := Gate())
    engine = Engine([predictor])  # type: ignore[list-item]
    engine.start()
    first = await blocked(engine, gate, job)
    second = asyncio.create_task(engine.run(job))
    await asyncio.sleep(0.01)
    stopping = asyncio.create_task(engine.stop())
    await asyncio.sleep(0.01)
    with pytest.raises(ServiceError, match="stopping"):
        await engine.run(job)
    gate.open.set()
    await asyncio.gather(first, second, stopping)


@pytest.mark.parametrize(("pixels", "frames"), [(1, [1] * 16), (7 * 64**2 - 1, [6, 6, 4]), (2**20, [16])])
async def test_frames_are_batched_within_the_pixel_budget(
    toy_predictor: Predictor, pixels: int, frames: list[int]
) -> None:
    seen: list[int] = []

    class Seeing(Watched):
        def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
            seen.append(len(frames))
            return toy_predictor.see(frames, peripheral)

    async with running(Seeing(toy_predictor), pixels=pixels) as engine:
        await engine.run(toy_predictor.prepare("activity", video=video_bytes()))
    assert seen == frames


async def test_the_backbone_sees_a_picture_once(toy_predictor: Predictor) -> None:
    seen: list[int] = []
    gate = threading.Event()

    class Seeing(Watched):
        def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
            assert gate.wait(10)
            seen.append(len(frames))
            return toy_predictor.see(frames, peripheral)

    first, second = jpeg_bytes(), image_bytes(picture(50, 70), "PNG")
    jobs = [toy_predictor.prepare("caption", image=first)] + [
        job
        for image in (first, second)
        for job in (
            toy_predictor.prepare("caption", image=image),
            toy_predictor.prepare("vqa", image=image, question="what is it?"),
        )
    ]
    async with running(Seeing(toy_predictor)) as engine:
        works = [asyncio.create_task(engine.run(job)) for job in jobs]
        await asyncio.sleep(0.1)
        gate.set()
        results = await asyncio.gather(*works)

    assert sum(seen) <= 3  # the first request may have been alone, before the others came
    for job, result in zip(jobs, results, strict=True):
        assert result.decoded[0].tokens == toy_predictor.run(job.rows)[0].tokens


async def test_replicas_share_one_queue(toy_predictor: Predictor, job: Job) -> None:
    busy, idle = Watched(toy_predictor, gate := Gate()), Watched(toy_predictor)
    engine = Engine([busy, idle])  # type: ignore[list-item]
    engine.start()
    works: list[asyncio.Task[Result]] = []
    try:
        while not gate.reached.is_set():  # the other replica may take the first jobs
            works.append(asyncio.create_task(engine.run(job)))
            await asyncio.sleep(0.01)
        for _ in range(3):
            works.append(asyncio.create_task(engine.run(job)))
            await asyncio.sleep(0.05)
        assert sum(work.done() for work in works) == len(works) - len(busy.batches[0])
    finally:
        gate.open.set()
        await asyncio.gather(*works)
        await engine.stop()
