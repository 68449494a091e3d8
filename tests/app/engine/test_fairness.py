"""Fairness of the engine: texts during a flood of videos, with the bundled model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from omninet import app
from omninet.app.engine.engine import Engine
from omninet.model.job import Job
from omninet.model.predictor import Predictor

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
VIDEOS, TEXTS = 16, 50
CLIP = Path(app.__file__).parent / "static/samples/tennis.webm"


def _changed(job: Job, number: int) -> Job:
    """Return a request with another first pixel: equal frames would pass the backbone together."""
    (row,) = job.rows
    (given,) = row.inputs
    frames = given.value.copy()
    frames[0, 0, 0, 0] = number
    return replace(job, rows=(replace(row, inputs=(given._replace(value=frames),)),))


async def test_texts_do_not_wait_for_videos() -> None:
    """In FIFO order each text would wait for all videos queued before it; check that texts overtake them."""
    predictor = Predictor.load(device="cpu")
    videos = [_changed(predictor.prepare("activity", video=CLIP), number) for number in range(VIDEOS)]
    text = predictor.prepare("pos", text="She saw two big dogs run.")
    engine = Engine([predictor])
    engine.warm_up()
    engine.start()
    answered = 0

    async def flood(video: Job) -> None:
        nonlocal answered
        while True:
            await engine.run(video)
            answered += 1

    flooding = [asyncio.create_task(flood(video)) for video in videos]
    meanwhile = []  # videos completed while each text waited: unlike seconds, independent of the machine's load
    for _ in range(TEXTS):
        await asyncio.sleep(0.01)
        before = answered
        await engine.run(text)
        meanwhile.append(answered - before)
    for task in flooding:
        task.cancel()
    await asyncio.gather(*flooding, return_exceptions=True)
    await engine.stop()

    assert answered > 0, "videos go on as well"
    assert max(meanwhile) < VIDEOS / 4
