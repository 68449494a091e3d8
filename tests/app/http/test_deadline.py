"""Tests of request deadlines."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from omninet.app.errors import ServiceError
from omninet.app.http.deadline import HEADER, timeout_seconds, within
from omninet.model.predictor import Predictor
from tests.app.conftest import Serve, Watched
from tests.app.engine.test_engine import Gate
from tests.app.test_errors import check

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}


def test_header_can_only_shorten_the_deadline() -> None:
    assert timeout_seconds({}, 60) == 60
    assert timeout_seconds({HEADER: "0.5"}, 60) == 0.5
    assert timeout_seconds({HEADER: "1e9"}, 60) == 60


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
async def test_invalid_time_out_is_named(serve: Serve, value: str) -> None:
    async with serve() as client:
        response = await client.post("/pos", json=TEXT, headers={HEADER: value})

    assert "x-timeout-seconds" in check(response, 422, "invalid_value")["message"]


async def test_expired_requests_never_reach_the_model(serve: Serve, toy_predictor: Predictor) -> None:
    predictor = Watched(toy_predictor, gate := Gate())
    async with serve(predictor) as client:
        first = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        late = await client.post("/pos", json=TEXT, headers={HEADER: "0.05"})
        gate.open.set()
        assert (await first).status_code == 200
    assert check(late, 504, "deadline_exceeded")["detail"] == {"seconds": 0.05}
    assert predictor.batches == [["pos"]]


async def test_default_deadline_is_a_setting(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate()), deadline_seconds=0.05) as client:
        late = await client.post("/pos", json=TEXT)
        gate.open.set()
    check(late, 504, "deadline_exceeded")


async def test_time_out_inside_the_work_is_not_a_deadline() -> None:
    async def fail() -> None:
        raise TimeoutError("other")

    with pytest.raises(TimeoutError, match="other"):
        await within(10, fail())
    with pytest.raises(ServiceError, match=r"within 0.01 seconds"):
        await within(0.01, asyncio.sleep(10))


@pytest.mark.anyio
async def test_cancelled_work_is_freed_at_once() -> None:
    class Upload:
        pass

    async def work(_: Upload) -> None:
        await asyncio.sleep(60)

    upload = Upload()
    held = weakref.ref(upload)
    task = asyncio.create_task(within(60, work(upload)))
    await asyncio.sleep(0)
    del upload
    gc.disable()
    try:
        task.cancel()
        await asyncio.wait({task})
        del task
        await asyncio.sleep(0)
        assert held() is None
    finally:
        gc.enable()
