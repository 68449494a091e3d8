"""Tests of cancelled work: in every stage it leaves at the next step and its memory is freed."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from omninet.app.engine.engine import Engine
from omninet.app.engine.work import Work, WorkQueue
from omninet.app.errors import ServiceError
from omninet.model.decoding.batch import RunningBatch
from omninet.model.predictor import Predictor
from tests.samples import picture, video_bytes

pytestmark = pytest.mark.anyio
CLIP = video_bytes()


class Stepwise:
    """A predictor whose backbone waits for a permit before each pass."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.arrived, self.allowed = threading.Semaphore(0), threading.Semaphore(0)
        self.seen = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
        self.arrived.release()
        assert self.allowed.acquire(timeout=20)
        self.seen += len(frames)
        return self._predictor.see(frames, peripheral)


@pytest.fixture
def stepwise(toy_predictor: Predictor) -> Stepwise:
    return Stepwise(toy_predictor)


@pytest.fixture
async def engine(stepwise: Stepwise) -> AsyncIterator[Engine]:
    engine = Engine([stepwise], batch_rows=4, pixels=4 * 64**2)  # type: ignore[list-item]
    engine.start()
    yield engine
    for _ in range(100):
        stepwise.allowed.release()
    await engine.stop()


def begin(
    engine: Engine, predictor: Predictor, task: str, **inputs: Any
) -> tuple[asyncio.Task[Any], weakref.ref[np.ndarray]]:
    """Start a job; return its task and a weak reference to its pixels."""
    job = predictor.prepare(task, **inputs)
    pixels: np.ndarray = job.rows[0].inputs[0].value
    return asyncio.create_task(engine.run(job)), weakref.ref(pixels)


async def until_gone(*pixels: weakref.ref[Any]) -> None:
    async with asyncio.timeout(10):
        while any(reference() is not None for reference in pixels):
            await asyncio.sleep(0.01)


async def test_cancelled_in_the_queue(engine: Engine, stepwise: Stepwise, toy_predictor: Predictor) -> None:
    """A cancelled row leaves the queue at once, although the model is busy."""
    first, _ = begin(engine, toy_predictor, "activity", video=CLIP)
    assert await asyncio.to_thread(stepwise.arrived.acquire, timeout=10)
    waiting, pixels = begin(engine, toy_predictor, "activity", video=CLIP)
    await asyncio.sleep(0.05)
    assert engine._queue.size() == pixels().nbytes > 0  # type: ignore[union-attr]
    waiting.cancel()
    del waiting  # the task keeps its exception, whose traceback keeps the pixels
    await until_gone(pixels)
    assert engine._queue.size() == 0
    assert engine._queue.depths() == {"text": 0, "image": 0, "video": 0}
    assert not first.done()


async def test_cancelled_in_the_backbone(engine: Engine, stepwise: Stepwise, toy_predictor: Predictor) -> None:
    video, pixels = begin(engine, toy_predictor, "activity", video=CLIP)
    for _ in range(2):
        assert await asyncio.to_thread(stepwise.arrived.acquire, timeout=10)
        stepwise.allowed.release()
    assert await asyncio.to_thread(stepwise.arrived.acquire, timeout=10)
    (replica,) = engine._replicas
    features = weakref.ref(replica.vision._waiting["video"][0].features[0])
    video.cancel()
    del video
    await asyncio.sleep(0.01)
    stepwise.allowed.release()
    await until_gone(pixels, features)
    assert stepwise.seen == 3 * 4, "of 16 frames"
    assert engine.metrics.abandoned._value.get() == 1


async def test_cancelled_in_the_running_batch(
    engine: Engine, stepwise: Stepwise, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, sizes = RunningBatch.step, list[int]()
    arrived, go_on = threading.Event(), threading.Event()

    def held_up(batch: RunningBatch) -> Any:
        sizes.append(len(batch))
        if len(sizes) == 2:
            arrived.set()
            assert go_on.wait(20)
        return step(batch)

    monkeypatch.setattr(RunningBatch, "step", held_up)
    stepwise.allowed.release()
    image, pixels = begin(engine, toy_predictor, "caption", image=picture(), beams=4)
    assert await asyncio.to_thread(arrived.wait, 10)
    (replica,) = engine._replicas
    ((cohort, _),) = replica.cnp._batch._groups.values()
    memory = weakref.ref(cohort)
    del cohort
    image.cancel()
    del image
    await asyncio.sleep(0.01)
    go_on.set()
    await until_gone(pixels)
    assert memory() is None
    assert sizes == [1, 1]


def test_queue_is_limited_by_bytes(toy_predictor: Predictor) -> None:
    """The queue accepts work until its byte limit is reached, then rejects work until there is room again."""
    row = toy_predictor.prepare("caption", image=picture()).rows[0]
    text = toy_predictor.prepare("pos", text="A dog runs.").rows[0]
    works = [Work(row) for _ in range(3)]
    queue = WorkQueue(1000, 2 * works[0].bytes)
    queue.put(works[:1])
    queue.put(works[1:])
    for refused in (row, text):
        with pytest.raises(ServiceError) as error:
            queue.put([Work(refused)])
        assert error.value.code == "overloaded"
    queue.withdraw(works[1:])
    queue.put([last := Work(text)])
    assert queue.size() == works[0].bytes + last.bytes > works[0].bytes
