"""Tests of /batch: each item is answered as a request of its own would be."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import UploadFile
from fastapi.responses import StreamingResponse

from omninet.app.engine.engine import Engine
from omninet.app.http.keys import new_key
from omninet.app.http.middleware import request_log
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import REQUEST_ID
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.app.conftest import Serve, Watched, talking_to
from tests.app.engine.test_engine import Gate
from tests.app.http.test_error_responses import check
from tests.app.telemetry.test_metrics import figures, of
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
IMAGE, VIDEO = jpeg_bytes(), video_bytes()
Item = dict[str, Any]


def item(task: str, options: Item | None = None, **inputs: Any) -> Item:
    """Return an item; bytes are sent in base64."""
    sent = {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in inputs.items()}
    return {"task": task, "inputs": sent} | ({"options": options} if options is not None else {})


async def batch(client: httpx.AsyncClient, items: Sequence[Any], **headers: str) -> list[Item]:
    response = await client.post(
        "/batch", content=json.dumps({"items": items}), headers={"Content-Type": "application/json", **headers}
    )
    assert response.status_code == 200, response.text
    results: list[Item] = response.json()["results"]
    assert len(results) == len(items)
    assert all(result.keys() == {"status", "answer" if result["status"] == 200 else "error"} for result in results)
    return results


def codes(results: Sequence[Item]) -> list[tuple[int, str]]:
    return [(result["status"], result.get("error", {}).get("code", "")) for result in results]


async def single(client: httpx.AsyncClient, each: Item) -> httpx.Response:
    """Send an item as a request of its own."""
    fields = each["inputs"] | each.get("options", {})
    if each["task"] == "pos":
        return await client.post("/pos", content=json.dumps(fields), headers={"Content-Type": "application/json"})
    files = {"image": IMAGE, "video": VIDEO}
    sent = {name: files.get(name, b"no media") for name in fields if name in files and len(fields[name]) > 20}
    sent |= {name: b"no media" for name in fields if name in files and name not in sent}
    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return await client.post(
        f"/{each['task']}", files=sent or {"none": b""}, data={k: v for k, v in data.items() if k not in files}
    )


def assert_close(one: Any, other: Any) -> None:
    """Compare JSON; probabilities depend in their last digits on what they were computed together with."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            # Of an explanation: times, and small differences of log-probabilities, which a random network has.
            if name not in ("milliseconds", "cells"):
                assert_close(one[name], other[name])
    elif isinstance(one, list):
        for each, another in zip(one, other, strict=True):
            assert_close(each, another)
    else:
        assert one == (pytest.approx(other, rel=1e-4, abs=1e-6) if isinstance(one, float) else other)


GOOD = [
    item("pos", text="A dog runs."),
    item("pos", text=["A dog runs.", "Zoë schläft 🙂"]),
    item("pos", tokens=[["A", "dog"]]),
    item("caption", {"beams": 3, "n_best": 2, "max_length": 5}, image=IMAGE),
    item("caption", {"explain": True}, image=IMAGE),
    item("caption", {"explain_layers": True, "format": "json", "stream": False}, image=IMAGE),
    item("vqa", image=IMAGE, question="Was ist das, Zoë?"),
    item("video-caption", {"seed": 1, "temperature": 0.5}, video=VIDEO),
    item("video-qa", video=VIDEO, question="What is it?"),
    item("activity", {}, video=VIDEO),
]
BAD = [
    item("pos"),
    item("pos", text=""),
    item("pos", text="a", tokens=["a"]),
    item("pos", text="a \ud800"),
    item("pos", text="a", other=1),
    item("pos", text=5),
    item("caption", image=b"no media"),
    item("caption", {"beams": 0}, image=IMAGE),
    item("caption", {"beams": "many"}, image=IMAGE),
    item("caption", {"beams": 2, "seed": 1}, image=IMAGE),
    item("vqa", image=IMAGE),
    item("vqa", image=IMAGE, question=""),
    item("vqa", image=IMAGE, question="x" * 30_000),
    item("activity", video=b"no media"),
]


async def test_answers_are_those_of_single_requests(client: httpx.AsyncClient) -> None:
    results = await batch(client, GOOD)
    for each, result in zip(GOOD, results, strict=True):
        response = await single(client, each)
        assert (result["status"], response.status_code) == (200, 200), response.text
        answer, expected = result["answer"], response.json()
        assert answer.pop("timings_ms").keys() == expected.pop("timings_ms").keys()
        assert_close(answer, expected)


async def test_errors_are_those_of_single_requests_and_cost_no_other(client: httpx.AsyncClient) -> None:
    mixed = [each for pair in zip(BAD, [GOOD[0]] * len(BAD), strict=True) for each in pair]
    results = await batch(client, mixed)
    assert {result["status"] for result in results[1::2]} == {200}
    for each, result in zip(BAD, results[::2], strict=True):
        response = await single(client, each)
        assert response.status_code != 200
        assert (result["status"], result["error"]) == (response.status_code, response.json()["error"])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("pos", "invalid_value"),
        (None, "invalid_value"),
        ([], "invalid_value"),
        ({}, "invalid_value"),
        ({"task": 1}, "invalid_value"),
        ({"task": "pos", "inputs": []}, "invalid_value"),
        ({"task": "pos", "inputs": {"text": "a"}, "optoins": {}}, "invalid_value"),
        ({"task": "nothing"}, "unknown_task"),
        ({"task": "/pos", "inputs": {"text": "a"}}, "unknown_task"),
        ({"task": "admin/reload"}, "unknown_task"),
        ({"task": "tasks"}, "unknown_task"),
        ({"task": "\ud800"}, "unknown_task"),
        ({"task": "batch", "inputs": {"items": []}}, "not_in_batch"),
        ({"task": "index"}, "not_in_batch"),
        ({"task": "search", "inputs": {"text": "a"}}, "not_in_batch"),
        (item("caption", {"stream": True}, image=IMAGE), "not_in_batch"),
        (item("caption", {"stream": "on"}, image=IMAGE), "not_in_batch"),
        (item("caption", {"format": "png"}, image=IMAGE), "not_in_batch"),
        (item("vqa", {"question": "a"}, image=IMAGE, question="b"), "repeated_part"),
        (item("caption", image="https://example.org/dog.jpg"), "invalid_base64"),
        (item("caption", image="http://127.0.0.1:8000/static/samples/frisbee.jpg"), "invalid_base64"),
        (item("caption", image="file:///etc/passwd"), "invalid_base64"),
        (item("caption", image="abc"), "invalid_base64"),
        (item("caption", image={"url": "https://example.org"}), "invalid_base64"),
        (item("caption", image=7), "invalid_base64"),
        (item("vqa", image=IMAGE, question="\ud800"), "invalid_value"),
        (item("caption", image=None), "missing_part"),
        (item("caption", image=""), "empty_file"),
    ],
)
async def test_wrong_items(client: httpx.AsyncClient, wrong: Any, code: str) -> None:
    results = codes(await batch(client, [GOOD[0], wrong, GOOD[0]]))
    assert results == [(200, ""), (422, code), (200, "")]


async def test_base64_may_have_lines(client: httpx.AsyncClient) -> None:
    lines = "\r\n".join(b64encode(IMAGE).decode()[i : i + 76] for i in range(0, 10**6, 76))
    assert codes(await batch(client, [item("caption", image=lines)])) == [(200, "")]


async def test_the_list(client: httpx.AsyncClient) -> None:
    assert await batch(client, []) == []
    assert len(await batch(client, [GOOD[0]] * 64)) == 64
    check(await client.post("/batch", json={"items": [GOOD[0]] * 65}), 422, "invalid_value")
    check(await client.post("/batch", json={"items": GOOD[0]}), 422, "invalid_value")
    check(await client.post("/batch", json=[GOOD[0]]), 422, "invalid_value")
    check(await client.post("/batch", json={"items": [], "more": 1}), 422, "unknown_field")
    assert "curl -F" not in check(await client.post("/batch", json={}), 422, "missing_part")["message"]
    json_type = {"Content-Type": "application/json"}
    check(await client.post("/batch", content=b"{", headers=json_type), 400, "invalid_json")
    check(await client.post("/batch", content=b"", headers=json_type), 422, "missing_body")
    check(await client.post("/batch", data={"items": "[]"}), 415, "unsupported_media_type")
    check(await client.get("/batch"), 405, "method_not_allowed")


async def test_limits(serve: Serve) -> None:
    async with serve(max_batch_bytes=3000, max_upload_bytes=1500, max_text_bytes=200) as client:
        results = await batch(client, [item("pos", text="a " * 200), item("caption", image=bytes(1600)), GOOD[0]])
        assert codes(results) == [(413, "body_too_large"), (413, "body_too_large"), (200, "")]
        assert [result["error"]["detail"]["limit"] for result in results[:2]] == [200, 1500]
        large = await client.post("/batch", json={"items": [item("pos", text="a" * 3000)]})
        assert check(large, 413, "body_too_large")["detail"] == {"limit": 3000}


async def test_items_are_decoded_together(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(predictor := Watched(toy_predictor, gate := Gate())) as client:
        asked = asyncio.create_task(batch(client, [item("pos", text=f"A dog runs {i} times.") for i in range(20)]))
        await asyncio.to_thread(gate.reached.wait, 10)
        await asyncio.sleep(0.5)
        gate.open.set()
        results = await asked
    texts = [result["answer"]["sentences"][0]["tokens"][3]["text"] for result in results]
    assert texts == [str(i) for i in range(20)]
    assert max(map(len, predictor.batches)) >= 10


async def test_model_that_fails_on_one_item(serve: Serve, toy_predictor: Predictor) -> None:
    def fail(rows: Sequence[Row]) -> None:
        if any(row.goal.task == "vqa" for row in rows):
            raise RuntimeError("broken")

    async with serve(Watched(toy_predictor, fail)) as client:
        assert codes(await batch(client, [GOOD[0], GOOD[6], GOOD[3]])) == [
            (200, ""),
            (500, "internal_error"),
            (200, ""),
        ]


async def test_deadline(serve: Serve, toy_predictor: Predictor) -> None:
    async with serve(Watched(toy_predictor, gate := Gate()), batch_rows=2) as client:
        results = await batch(client, [GOOD[0]] * 5, **{"X-Timeout-Seconds": "0.3"})
        gate.open.set()
        wrong = await client.post("/batch", json={"items": []}, headers={"X-Timeout-Seconds": "nan"})
    check(wrong, 422, "invalid_value")
    assert codes(results) == [(504, "deadline_exceeded")] * 5


async def test_keys_and_rates(serve: Serve) -> None:
    key, kept = new_key("alice")
    async with serve(api_keys=str(kept), rate_per_minute=0.001, rate_burst=4) as client:
        check(await client.post("/batch", json={"items": [GOOD[0]]}), 401, "missing_api_key")
        results = await batch(client, [GOOD[0]] * 5, Authorization=f"Bearer {key}")
        assert sorted(codes(results)) == [(200, "")] * 3 + [(429, "rate_limited")] * 2
        check(
            await client.post("/batch", json={"items": []}, headers={"Authorization": f"Bearer {key}"}),
            429,
            "rate_limited",
        )


async def test_logs_and_metrics(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    response = await client.post("/batch", json={"items": [GOOD[0], BAD[6]]}, headers={"X-Request-ID": "mine"})
    assert response.headers["x-request-id"] == "mine"
    lines = [record.__dict__["fields"] for record in caplog.records if record.message == "request"]
    assert sorted((line["route"], line["status"], line["code"]) for line in lines) == [
        ("/batch", 200, ""),
        ("/caption", 422, "not_an_image"),
        ("/pos", 200, ""),
    ]
    found = figures((await client.get("/metrics")).text)
    counted = (("/batch", "200", ""), ("/pos", "200", ""), ("/caption", "422", "not_an_image"))
    for endpoint, status, code in counted:
        assert of(found, "requests_total", endpoint=endpoint, status=status, code=code) == 1


async def test_items_share_the_id_of_the_request(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    log = request_log._log

    def note(*arguments: Any) -> None:
        ids.append(REQUEST_ID.get())
        log(*arguments)

    monkeypatch.setattr(request_log, "_log", note)
    response = await client.post("/batch", json={"items": [GOOD[0]] * 3})
    assert ids == [response.headers["x-request-id"]] * 4


async def test_below_a_prefix(serve: Serve) -> None:
    async with serve(root_path="/some/where") as client:
        for path in ("/batch", "/some/where/batch"):
            response = await client.post(path, json={"items": [GOOD[0], GOOD[3]]})
            assert codes(response.json()["results"]) == [(200, "")] * 2


async def test_endpoints_that_are_added_later(toy_predictor: Predictor) -> None:
    app = create_app(Settings(), Engine([toy_predictor]))

    @app.post("/reverse")
    async def reverse(text: dict[str, str]) -> dict[str, str]:
        return {name: value[::-1] for name, value in text.items()}

    @app.post("/measure")
    async def measure(file: UploadFile, unit: str = "bytes") -> dict[str, Any]:
        return {"size": len(await file.read()), "unit": unit}

    @app.post("/lines")
    async def lines(text: dict[str, str]) -> StreamingResponse:
        return StreamingResponse(iter([b"{}\n"]), media_type="application/jsonl")

    async with talking_to(app) as client:
        results = await batch(
            client, [item("reverse", text="abc"), item("measure", file=bytes(5)), item("lines", text="a")]
        )
    assert results[0] == {"status": 200, "answer": {"text": "cba"}}
    assert results[1] == {"status": 200, "answer": {"size": 5, "unit": "bytes"}}
    assert codes(results)[2] == (422, "not_in_batch")


async def test_schema(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    items = schema["components"]["schemas"]["BatchRequest"]["properties"]["items"]
    assert items["maxItems"] == 64
    assert items["items"] == {"$ref": "#/components/schemas/BatchItem"}
    assert schema["components"]["schemas"]["BatchItem"]["required"] == ["task"]
    assert schema["paths"]["/batch"]["post"]["operationId"] == "batch"
