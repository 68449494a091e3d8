"""Tests of request deadlines."""

from __future__ import annotations

import asyncio
import gc
import weakref

import httpx
import pytest

from omninet.app.errors import ServiceError
from omninet.app.http.deadline import HEADER, timeout_seconds, within
from omninet.model.predictor import Predictor
from tests.app.conftest import Serve, Watched
from tests.app.engine.test_engine import Gate
from tests.app.http.test_error_responses import check

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}


def test_header_can_only_shorten_the_deadline() -> None:
    assert timeout_seconds({}, 60) == 60
    assert timeout_seconds({HEADER: "0.5"}, 60) == 0.5
    assert timeout_seconds({HEADER: "1e9"}, 60) == 60


INVALID = {
    **dict.fromkeys(("0", "-0", "-1", "5e-324", "1e-400", "0.0009"), "greater than or equal to 0.001"),
    **dict.fromkeys(("nan", "-nan", "inf", "-inf", "1e400", "-1e400", "NaN", "Infinity"), "finite number"),
    **dict.fromkeys(("soon", "", "1 s", "1,5", "0x10", "1;2", "true", "PT1S"), "valid number"),
}


@pytest.mark.parametrize(("value", "said"), INVALID.items())
async def test_invalid_time_out_is_named(client: httpx.AsyncClient, value: str, said: str) -> None:
    response = await client.post("/pos", json=TEXT, headers={HEADER: value})

    message = check(response, 422, "invalid_value")["message"]
    assert "x-timeout-seconds" in message
    assert said in message


@pytest.mark.parametrize("value", ["60", "1e3", "+5", " 7 ", "1e308", "999999999999"])
async def test_long_time_outs_are_shortened_to_the_setting(client: httpx.AsyncClient, value: str) -> None:
    assert (await client.post("/pos", json=TEXT, headers={HEADER: value})).status_code == 200


async def test_shortest_time_out_is_a_deadline(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate())) as client:
        late = await client.post("/pos", json=TEXT, headers={HEADER: "0.001"})
        gate.open.set()
    check(late, 504, "deadline_exceeded")


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
