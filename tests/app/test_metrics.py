"""What is counted and measured."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.predictor import Predictor
from tests.app.conftest import Serve, Watched
from tests.app.test_engine import Gate
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}
Labels = frozenset[tuple[str, str]]


def figures(text: str) -> dict[tuple[str, Labels], float]:
    """Name and labels -> value."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def of(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    return found[f"omninet_{name}", frozenset(labels.items())]


async def test_what_requests_come_to(serve: Serve) -> None:
    async with serve(max_text_bytes=5_000) as client:
        await client.post("/pos", json=TEXT)
        await client.post("/caption", files={"image": jpeg_bytes()})
        await client.post("/caption", files={"image": b"no picture"})
        await client.post("/pos", content=b"x" * 9_000, headers={"Content-Type": "application/json"})
        await client.get("/nowhere")
        response = await client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=")
    found = figures(response.text)
    requests = {
        ("/pos", "200", ""): 1,
        ("/caption", "200", ""): 1,
        ("/caption", "422", "not_an_image"): 1,
        ("other", "413", "body_too_large"): 1,
        ("other", "404", "not_found"): 1,
    }
    for (endpoint, status, code), count in requests.items():
        assert of(found, "requests_total", endpoint=endpoint, status=status, code=code) == count
    assert of(found, "request_seconds_count", endpoint="/caption") == 2
    for stage in ("decode_media", "prepare", "queue", "encode", "decode"):
        assert of(found, "stage_seconds_count", endpoint="/caption", stage=stage) == 1
    assert found["process_resident_memory_bytes", frozenset()] > 1e6


async def test_what_the_model_does(serve: Serve) -> None:
    async with serve() as client:
        tags = (await client.post("/pos", json=TEXT)).json()["sentences"][0]["tokens"]
        caption = (await client.post("/caption", files={"image": jpeg_bytes()})).json()
        await client.post("/activity", files={"video": video_bytes()})
        found = figures((await client.get("/metrics")).text)

    assert of(found, "frames_total") == 1 + 16
    assert of(found, "tokens_total", task="pos") == len(tags)
    assert of(found, "tokens_total", task="caption") in (len(caption["tokens"]), len(caption["tokens"]) + 1)
    steps = of(found, "decoder_steps_total")
    assert steps == len(tags) + of(found, "decoded_rows_total", task="caption") + 1
    assert of(found, "batch_rows_count") == of(found, "batch_rows_bucket", le="1.0") == steps
    assert of(found, "failed_rows_total") == of(found, "abandoned_rows_total") == 0


async def test_what_waits_and_what_is_let_go(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate())) as client:
        first = asyncio.create_task(client.post("/pos", json=TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        image = asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()}))
        late = await client.post("/pos", json=TEXT, headers={"X-Timeout-Seconds": "0.3"})
        waiting = figures((await client.get("/metrics")).text)
        gate.open.set()
        await asyncio.gather(first, image)
        found = figures((await client.get("/metrics")).text)

    assert late.status_code == 504
    assert of(waiting, "waiting_rows", kind="image") == 1
    assert of(waiting, "waiting_bytes") == 3 * 64 * 64
    assert of(found, "waiting_rows", kind="image") == of(found, "waiting_rows", kind="text") == 0
    assert of(found, "requests_total", endpoint="/pos", status="504", code="deadline_exceeded") == 1
