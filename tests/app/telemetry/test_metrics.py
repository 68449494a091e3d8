"""Tests of the exported metrics."""

from __future__ import annotations

import asyncio
import platform
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families
from torch import Tensor

import omninet
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.main import create_app
from omninet.app.media.sandbox import Sandbox
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Serve, Watched, talking_to
from tests.app.engine.test_engine import Gate
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}
Labels = frozenset[tuple[str, str]]


def figures(text: str) -> dict[tuple[str, Labels], float]:
    """Return the samples of a metrics text by name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def of(found: dict[tuple[str, Labels], float], name: str, /, **labels: str) -> float:
    return found[f"omninet_{name}", frozenset(labels.items())]


async def test_metrics_of_requests(serve: Serve) -> None:
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


async def test_metrics_of_the_model(serve: Serve) -> None:
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


async def test_metrics_of_waiting_and_cancelled_work(serve: Serve, toy_predictor: Predictor) -> None:
    gate = Gate()

    class Dazzled(Watched):
        def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
            gate(())
            return toy_predictor.see(frames, peripheral)

    async with serve(Dazzled(toy_predictor)) as client:
        first = asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()}))
        await asyncio.to_thread(gate.reached.wait, 10)
        image = asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()}))
        late = await client.post("/caption", files={"image": jpeg_bytes()}, headers={"X-Timeout-Seconds": "0.3"})
        waiting = figures((await client.get("/metrics")).text)
        gate.open.set()
        await asyncio.gather(first, image)
        found = waiting
        while of(found, "running_rows"):
            await asyncio.sleep(0.01)
            found = figures((await client.get("/metrics")).text)

    assert late.status_code == 504
    assert of(waiting, "waiting_rows", kind="image") == 1
    assert of(waiting, "waiting_bytes") == 3 * 64 * 64
    assert of(waiting, "running_rows") == 1
    assert of(found, "waiting_rows", kind="image") == of(found, "waiting_rows", kind="text") == 0
    assert of(found, "requests_total", endpoint="/caption", status="504", code="deadline_exceeded") == 1


async def test_metrics_of_rejected_and_aborted_requests(serve: Serve, toy_predictor: Predictor) -> None:
    gate = Gate()

    def fail_on_two_words(rows: Sequence[Row]) -> None:
        gate(rows)
        if any(row.goal.steps == 2 for row in rows):
            raise RuntimeError("secret")

    async with serve(Watched(toy_predictor, fail_on_two_words), max_waiting_rows=1) as client:
        first = asyncio.create_task(client.post("/pos", json={"tokens": ["Go"]}))
        await asyncio.to_thread(gate.reached.wait, 10)
        failing = asyncio.create_task(client.post("/pos", json={"tokens": ["Go", "on"]}))
        while not of(figures((await client.get("/metrics")).text), "waiting_rows", kind="text"):
            await asyncio.sleep(0.01)
        await client.post("/pos", json=TEXT)
        gate.open.set()
        await asyncio.gather(first, failing)
        found = figures((await client.get("/metrics")).text)

    assert of(found, "requests_total", endpoint="/pos", status="503", code="overloaded") == 1
    assert of(found, "requests_total", endpoint="/pos", status="500", code="internal_error") == 1
    assert of(found, "failed_rows_total") == 1


async def test_metrics_of_rows_abandoned_in_the_model(serve: Serve, toy_predictor: Predictor) -> None:
    gate = Gate()
    async with serve(Watched(toy_predictor, gate)) as client:
        late = asyncio.create_task(client.post("/pos", json=TEXT, headers={"X-Timeout-Seconds": "0.3"}))
        await asyncio.to_thread(gate.reached.wait, 10)
        assert (await late).status_code == 504
        gate.open.set()
        await client.post("/pos", json=TEXT)
        found = figures((await client.get("/metrics")).text)

    assert of(found, "abandoned_rows_total") == 1


async def test_metrics_of_uploads(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    released, begun = threading.Event(), threading.Event()
    decode = Sandbox.decode

    def slow(sandbox: Sandbox, *file: Any) -> Any:
        begun.set()
        assert released.wait(10)
        return decode(sandbox, *file)

    monkeypatch.setattr(Sandbox, "decode", slow)
    async with serve(media_processes=1) as client:
        idle = figures((await client.get("/metrics")).text)
        uploads = [asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()})) for _ in range(3)]
        assert await asyncio.to_thread(begun.wait, 10)
        busy = idle
        while of(busy, "media_waiting_uploads") < 2:
            await asyncio.sleep(0.01)
            busy = figures((await client.get("/metrics")).text)
        (sandbox,) = client._transport.app.state.service.backend._serving.media._sandboxes  # type: ignore[attr-defined]
        sandbox._process.kill()
        sandbox._process.join()
        released.set()
        assert [response.status_code for response in await asyncio.gather(*uploads)] == [200] * 3
        found = figures((await client.get("/metrics")).text)

    for figure in (idle, found):
        assert of(figure, "media_busy_processes") == of(figure, "media_waiting_uploads") == 0
    assert of(busy, "media_busy_processes") == 1
    assert of(busy, "media_replaced_processes_total") == of(idle, "media_replaced_processes_total") == 0
    assert of(found, "media_replaced_processes_total") == 1


async def test_metrics_of_the_served_model(serve: Serve) -> None:
    async with serve(deadline_seconds=7, max_waiting_rows=3) as client:
        found = figures((await client.get("/metrics")).text)
        (replica,) = client._transport.app.state.service.backend._serving.engine._replicas  # type: ignore[attr-defined]
        replica.cnp.is_alive = False
        failed = figures((await client.get("/metrics")).text)

    assert of(found, "model_info", name="toy", version="0.0.1", precision="float32") == 1
    made_of = {"version": omninet.__version__, "python": platform.python_version(), "torch": str(torch.__version__)}
    assert of(found, "build_info", **made_of) == 1
    assert of(found, "deadline_seconds") == 7
    assert of(found, "waiting_rows_limit") == 3
    assert (of(found, "ready"), of(failed, "ready")) == (1, 0)


async def test_metrics_before_a_model_is_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with talking_to(create_app(Settings(checkpoint=tmp_path_factory.mktemp("empty")))) as client:
        text = (await client.get("/metrics")).text

    assert of(figures(text), "ready") == 0
    assert "omninet_model_info{" not in text


def test_another_model_takes_the_place_of_the_first() -> None:
    metrics = Metrics()
    metrics.serves("old", "1", "float32")
    metrics.serves("new", "2", "bfloat16")

    models = [labels for name, labels in figures(metrics.text().decode()) if name == "omninet_model_info"]
    assert models == [frozenset({("name", "new"), ("version", "2"), ("precision", "bfloat16")})]


def test_the_memory_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 100 + device)

    found = figures(EngineMetrics().text().decode())

    assert [of(found, "device_memory_bytes", device=f"cuda:{i}") for i in range(2)] == [100, 101]


def test_metric_names_follow_the_prometheus_conventions() -> None:
    for family in Metrics().registry.collect():
        assert family.documentation
        assert not family.name.endswith(("_ms", "_total", "_count", "_sum"))
