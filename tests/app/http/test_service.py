"""Tests of readiness, limits and concurrent requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.local.process_client import ModelProcess
from omninet.app.main import create_app
from omninet.app.media.sandbox import Sandbox
from omninet.app.settings import Settings
from omninet.model.errors import CheckpointError
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Serve, Watched, talking_to
from tests.app.engine.test_engine import Gate
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}


async def until_ready(client: httpx.AsyncClient, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)


async def test_health_check_works_before_the_model_is_loaded(
    toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = asyncio.Event()

    async def begin(*_: object) -> Engine:
        await loaded.wait()
        engine.warm_up()
        engine.start()
        return engine

    engine = Engine([toy_predictor])
    monkeypatch.setattr(ModelProcess, "begin", begin)
    async with talking_to(create_app(Settings())) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        for response in (
            await client.get("/readyz"),
            await client.get("/tasks"),
            await client.post("/pos", json=TEXT),
            await client.post("/caption", files={"image": jpeg_bytes()}),
        ):
            check(response, 503, "not_ready")
            assert response.headers["retry-after"]
        loaded.set()
        await until_ready(client)
        assert (await client.post("/pos", json=TEXT)).status_code == 200


async def test_settings_reach_the_predictor(toy_checkpoint: Path) -> None:
    settings = Settings(checkpoint=toy_checkpoint, device="cpu", torch_threads=1, max_image_pixels=100)
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        response = await client.post("/caption", files={"image": jpeg_bytes()})
        error = check(response, 413, "image_too_large")
    assert error["detail"] == {"width": 64, "height": 48, "limit": 100, "input": "image"}


async def test_a_checkpoint_that_cannot_be_loaded_is_reported(tmp_path: Path) -> None:
    service_app = create_app(Settings(checkpoint=tmp_path / "nothing"))
    failed = asyncio.Event()
    service_app.state.service.backend.on_failure = failed.set
    async with talking_to(service_app) as client:
        await asyncio.wait_for(failed.wait(), 60)
        check(await client.get("/readyz"), 503, "not_ready")
    assert isinstance(service_app.state.service.backend.failure, CheckpointError)


async def test_a_model_that_breaks_while_it_is_loaded_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def begin(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(ModelProcess, "begin", begin)
    async with talking_to(create_app(Settings())) as client, asyncio.timeout(60):
        while "no memory" not in caplog.text:
            await asyncio.sleep(0.01)
        check(await client.get("/readyz"), 503, "not_ready")


async def test_a_slow_video_does_not_delay_a_text(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    released, begun = threading.Event(), threading.Semaphore(0)
    decode = Sandbox.decode

    def slow(sandbox: Sandbox, *file: Any) -> Any:
        begun.release()
        assert released.wait(10)
        return decode(sandbox, *file)

    monkeypatch.setattr(Sandbox, "decode", slow)
    async with serve(media_processes=2, max_waiting_media=1) as client:
        videos = [asyncio.create_task(client.post("/activity", files={"video": video_bytes()})) for _ in range(3)]
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=10)
        assert (await client.post("/pos", json=TEXT)).status_code == 200
        refused = await client.post("/caption", files={"image": jpeg_bytes()})
        check(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert not any(video.done() for video in videos)
        released.set()
        assert [video.status_code for video in await asyncio.gather(*videos)] == [200] * 3


BROKEN = b"no picture at all"
BEFORE_MEDIA: dict[str, tuple[str, dict[str, str], str]] = {
    "out of range": ("/caption", {"max_length": "9999"}, "bad_option"),
    "contradiction": ("/caption", {"beams": "2", "temperature": "1"}, "bad_option"),
    "more texts than beams": ("/caption", {"beams": "2", "n_best": "3"}, "bad_option"),
    "lengths": ("/caption", {"min_length": "5", "max_length": "4"}, "bad_option"),
    "streamed": ("/caption", {"beams": "2", "n_best": "3", "stream": "true"}, "bad_option"),
}


@pytest.mark.parametrize("case", BEFORE_MEDIA)
async def test_options_are_checked_before_media_are_decoded(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    path, options, code = BEFORE_MEDIA[case]
    decoded: list[object] = []
    monkeypatch.setattr(Sandbox, "decode", lambda _, *file: decoded.append(file))
    async with serve() as client:
        for data in (BROKEN, bytes(2**22)):
            check(await client.post(path, files={"image": data}, data=options), 422, code)
    assert decoded == []


async def test_a_model_that_has_failed_is_not_ready(toy_predictor: Predictor) -> None:
    engine = Engine([toy_predictor])
    async with talking_to(create_app(Settings(), engine)) as client:
        (replica,) = engine._replicas
        replica.cnp.is_alive = False
        for response in (await client.get("/readyz"), await client.post("/pos", json=TEXT)):
            check(response, 503, "not_ready")
        replica.cnp.is_alive = True
        assert (await client.get("/readyz")).status_code == 200


async def test_only_the_request_that_broke_its_batch_fails(serve: Serve, toy_predictor: Predictor) -> None:
    gate = Gate()

    def fail_on_videos(rows: Sequence[Row]) -> None:
        gate(rows)
        if any(row.goal.task == "activity" for row in rows):
            raise RuntimeError("secret")

    predictor = Watched(toy_predictor, fail_on_videos)
    async with serve(predictor) as client:
        first = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        video = asyncio.create_task(client.post("/activity", files={"video": video_bytes()}))
        image = asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()}))
        await asyncio.sleep(0.5)
        gate.open.set()
        responses = await asyncio.gather(first, video, image)
    assert [response.status_code for response in responses] == [200, 500, 200]
    check(responses[1], 500, "internal_error")


async def test_overloaded_service_rejects_requests(serve: Serve, toy_predictor: Predictor) -> None:
    gate = Gate()
    async with serve(Watched(toy_predictor, gate), max_waiting_rows=1) as client:
        first = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        rest = [asyncio.create_task(client.post("/pos", json=TEXT)) for _ in range(4)]
        done, _ = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        check(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        await asyncio.sleep(0.3)
        gate.open.set()
        codes = sorted(response.status_code for response in await asyncio.gather(first, *rest))
    assert codes == [200, 200, 503, 503, 503]


async def test_disconnect_cancels_the_work(toy_predictor: Predictor) -> None:
    gate = Gate()
    predictor = Watched(toy_predictor, gate)
    engine = Engine([predictor])  # type: ignore[list-item]
    service_app = create_app(Settings(), engine)
    left = asyncio.Event()
    incoming = [{"type": "http.request", "body": b'{"text": "Gone."}', "more_body": False}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/pos",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    async with talking_to(service_app) as client:
        first = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        gone = asyncio.create_task(service_app(scope, receive, send))
        await asyncio.sleep(0.1)
        left.set()
        await asyncio.wait_for(gone, 10)
        gate.open.set()
        assert (await first).status_code == 200
        figures = (await client.get("/metrics")).text
    assert predictor.batches == [["pos"]]
    assert 'omninet_requests_total{code="client_closed_request",endpoint="/pos",status="499"} 1.0' in figures
