"""Tests of streamed captions."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.search import Search
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
Events = list[tuple[str, dict[str, Any]]]


def events_of(text: str) -> Events:
    """Return the names and data of server-sent events."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def asked(endpoint: str, **options: Any) -> dict[str, Any]:
    files = {"image": jpeg_bytes()} if endpoint == "/caption" else {"video": video_bytes()}
    return {"url": endpoint, "files": files, "data": options}


@pytest.mark.parametrize("endpoint", ["/caption", "/video-caption"])
@pytest.mark.parametrize("options", [{}, {"beams": 1}, {"beams": 4, "n_best": 2}, {"seed": 3, "n_best": 2}])
async def test_tokens_come_before_the_answer(client: httpx.AsyncClient, endpoint: str, options: dict[str, Any]) -> None:
    whole = (await client.post(**asked(endpoint, **options))).json()

    response = await client.post(**asked(endpoint, **options, stream="true"))

    assert response.headers["content-type"].startswith("text/event-stream")
    *tokens, (last, answer) = events_of(response.text)
    assert {name for name, _ in tokens} == {"token"}
    assert last == "answer"
    assert [token for _, token in tokens] == answer["tokens"]
    for reply in (answer, whole):
        del reply["timings_ms"]
    assert answer == whole


async def test_rejections_are_no_streams(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files={"image": b"no image"}, data={"stream": "true"})

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "not_an_image"


class Paced:
    """A predictor whose decoder waits for a permit before each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.allowed = threading.Semaphore(0)
        step = RunningBatch.step

        def paced(batch: RunningBatch) -> list[Search]:
            assert self.allowed.acquire(timeout=20)
            return step(batch)

        monkeypatch.setattr(RunningBatch, "step", paced)

    def allow(self, steps: int) -> None:
        self.allowed.release(steps)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paced]:
    paced = Paced(monkeypatch)
    yield paced
    paced.allow(1000)


@pytest.fixture
def engine(toy_predictor: Predictor) -> Engine:
    return Engine([toy_predictor])


@pytest.fixture
def address(engine: Engine, paced: Paced) -> Iterator[str]:
    """Return the address of a real server: httpx's ASGI transport does not stream responses."""
    settings = Settings()
    with listening(create_app(settings, engine), settings) as (host, port):
        yield f"http://{host}:{port}"
        paced.allow(1000)


def test_token_is_sent_as_soon_as_it_is_final(address: str, paced: Paced) -> None:
    with httpx.Client(base_url=address, timeout=20) as client:
        paced.allow(1)
        with client.stream("POST", **asked("/caption", beams=1, stream="true")) as response:
            lines = response.iter_lines()
            for _ in range(3):
                assert next(lines) == "event: token"
                assert json.loads(next(lines).removeprefix("data: "))["text"]
                assert next(lines) == ""
                paced.allow(1)
            paced.allow(1000)
            assert "event: answer" in list(lines)


def test_disconnect_ends_the_stream(address: str, paced: Paced, engine: Engine) -> None:
    with httpx.Client(base_url=address, timeout=20) as client:
        paced.allow(1)
        with client.stream("POST", **asked("/caption", beams=1, stream="true")) as response:
            assert next(response.iter_lines()) == "event: token"
    paced.allow(2)  # the cancelled row leaves at the next step

    until = time.monotonic() + 10
    while engine.metrics.abandoned._value.get() != 1:
        assert time.monotonic() < until
        time.sleep(0.01)
        paced.allow(1)


def test_a_deadline_in_the_middle(address: str, paced: Paced) -> None:
    with httpx.Client(base_url=address, timeout=20, headers={"X-Timeout-Seconds": "0.5"}) as client:
        paced.allow(2)
        response = client.post(**asked("/caption", beams=1, stream="true"))

    assert response.status_code == 200
    *tokens, (name, body) = events_of(response.text)
    assert [name for name, _ in tokens] == ["token", "token"]
    assert name == "error"
    assert body["error"]["code"] == "deadline_exceeded"


async def test_no_updates_without_a_stream(engine: Engine, toy_predictor: Predictor) -> None:
    engine.start()
    told: list[int] = []
    job = toy_predictor.prepare("caption", image=jpeg_bytes(), beams=1)

    watched, plain = await asyncio.gather(
        engine.run(job, lambda settled: told.append(len(settled.tokens))), engine.run(job)
    )
    await engine.stop()

    assert watched.decoded[0].tokens == plain.decoded[0].tokens
    assert told == list(range(1, len(plain.decoded[0].tokens)))
