"""Tests of explanations (attention weights) in responses."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from omninet.model import processor
from omninet.model.explain.explanation import Explanation
from omninet.model.predictor import Predictor
from tests.app.http.test_streaming import events_of
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
QUESTION = {"question": "what is it ?"}
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("/caption", "caption", {}),
    ("/vqa", "vqa", QUESTION),
    ("/activity", "activity", {}),
    ("/video-caption", "caption", {}),
    ("/video-qa", "vqa", QUESTION),
]


def files(endpoint: str) -> dict[str, bytes]:
    return {"image": jpeg_bytes()} if endpoint in ("/caption", "/vqa") else {"video": video_bytes()}


def expected(predictor: Predictor, endpoint: str, task: str, options: dict[str, Any]) -> dict[str, Any]:
    job = predictor.prepare(task, explain="layers", **files(endpoint), **options)
    found = getattr(predictor.finish(job, predictor.run(job.rows)), "explanation", None)
    assert isinstance(found, Explanation)
    return found.to_dict(layers=True)


def assert_near(found: Any, wanted: Any) -> None:
    """Check that two JSON values have the same structure and numbers equal within the tolerance."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            if key != "milliseconds":
                assert_near(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_near(one, other)
    else:
        assert found == (wanted if isinstance(wanted, str) else pytest.approx(wanted, abs=1e-4))


@pytest.mark.parametrize(("endpoint", "task", "options"), ASKED)
async def test_explanation_of_every_visual_endpoint(
    client: httpx.AsyncClient, toy_predictor: Predictor, endpoint: str, task: str, options: dict[str, Any]
) -> None:
    async def ask(**more: str) -> httpx.Response:
        return await client.post(endpoint, files=files(endpoint), data={**options, **more})

    plain, mean, layers = [(await ask(**more)).json() for more in ({}, {"explain": "1"}, {"explain_layers": "1"})]
    picture = await ask(format="png")

    wanted = expected(toy_predictor, endpoint, task, options)
    assert_near(layers.pop("explanation"), wanted)
    del wanted["layers"]
    assert_near(mean.pop("explanation"), wanted)
    for reply in (plain, mean, layers):
        del reply["timings_ms"]
    assert plain == mean == layers
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"


async def test_explanation_in_a_stream(client: httpx.AsyncClient, toy_predictor: Predictor) -> None:
    response = await client.post(
        "/caption", files={"image": jpeg_bytes()}, data={"explain": "true", "stream": "true", "beams": "1"}
    )

    *_, (name, answer) = events_of(response.text)
    wanted = expected(toy_predictor, "/caption", "caption", {"beams": 1})
    del wanted["layers"]
    assert name == "answer"
    assert_near(answer["explanation"], wanted)


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_oversized_explanation_is_an_error(
    client: httpx.AsyncClient, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "MAX_NUMBERS", 100)

    response = await client.post(
        "/caption", files={"image": jpeg_bytes()}, data={"explain_layers": "1", "stream": stream, "beams": "1"}
    )

    if stream == "true":
        *_, (name, body) = events_of(response.text)
        assert name == "error"
    else:
        assert response.status_code == 413
        body = response.json()
    assert body["error"]["code"] == "explanation_too_large"


async def test_picture_cannot_be_streamed(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files={"image": jpeg_bytes()}, data={"format": "png", "stream": "true"})

    assert (response.status_code, response.json()["error"]["code"]) == (422, "bad_option")


async def test_text_endpoints_have_no_explanation(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/pos", content=json.dumps({"text": "Go.", "explain": True}), headers={"Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["error"]["code"]) == (422, "unknown_field")
