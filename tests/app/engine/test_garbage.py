"""What is left of a request that has been answered: nothing that waits for the garbage collector.

Uploads and frames are megabytes, and the collector counts objects: it came after gigabytes.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.datastructures import UploadFile

from omninet.app.engine.work import Work
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Serve, Watched
from tests.app.engine.test_engine import Gate
from tests.samples import video_bytes

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def left() -> list[str]:
    """Names of what is still there of any request."""
    await asyncio.sleep(0.05)
    return [type(found).__name__ for found in gc.get_objects() if type(found) in {UploadFile, Work, Stopwatch}]


def upload(data: bytes | None = None) -> dict[str, Any]:
    return {"files": {"video": data or video_bytes()}}


async def test_of_an_answer(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.post("/activity", **upload())).status_code == 200
        assert await left() == []


async def test_of_a_refusal(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.post("/activity", **upload(b"no video"))).status_code == 422
        assert await left() == []


async def test_of_what_came_too_late(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate())) as client:
        late = await client.post("/activity", **upload(), headers={"X-Timeout-Seconds": "1"})
        assert late.status_code == 504
        gate.open.set()
        assert (await client.post("/activity", **upload())).status_code == 200  # the model has seen that it is gone
        assert await left() == []


async def test_of_a_failure(serve: Serve, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: Sequence[Row]) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(
        "omninet.app.engine.stage.logger.disabled", True
    )  # pytest keeps what is logged, with its tracebacks
    async with serve(Watched(toy_predictor, fail)) as client:
        assert (await client.post("/activity", **upload())).status_code == 500
        assert await left() == []
