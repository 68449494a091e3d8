"""Tests that a completed request leaves no reference cycles for the garbage collector.

The collector counts objects, not bytes: with cycles, gigabytes of uploads and frames accumulated before it ran.
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
    """Return the type names of objects of a request that are still alive."""
    await asyncio.sleep(0.05)
    return [type(found).__name__ for found in gc.get_objects() if type(found) in {UploadFile, Work, Stopwatch}]


def upload(data: bytes | None = None) -> dict[str, Any]:
    return {"files": {"video": data or video_bytes()}}


async def test_answered_work_is_freed(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.post("/activity", **upload())).status_code == 200
        assert await left() == []


async def test_rejected_work_is_freed(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.post("/activity", **upload(b"no video"))).status_code == 422
        assert await left() == []


async def test_work_past_its_deadline_is_freed(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate())) as client:
        late = await client.post("/activity", **upload(), headers={"X-Timeout-Seconds": "1"})
        assert late.status_code == 504
        gate.open.set()
        assert (
            await client.post("/activity", **upload())
        ).status_code == 200  # by now the engine has dropped the cancelled row
        assert await left() == []


async def test_failed_work_is_freed(serve: Serve, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: Sequence[Row]) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(
        "omninet.app.engine.stage.logger.disabled", True
    )  # pytest keeps log records, whose tracebacks keep objects alive
    async with serve(Watched(toy_predictor, fail)) as client:
        assert (await client.post("/activity", **upload())).status_code == 500
        assert await left() == []
