"""POST /ground: boxes in pixels of the picture as displayed, given candidates, errors that name the field."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs.boxes.tokens import CLASSES
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.toys import toy_with

pytestmark = pytest.mark.anyio
PHRASE = {"phrase": "the dog"}
CANDIDATES = [[0, 0, 60, 80], [10, 20, 30, 40]]


def turned_jpeg() -> bytes:
    """A JPEG of 160 x 120 pixels that is displayed with 120 x 160."""
    colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(colours).resize((160, 120)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return toy_with(toy, ["ground"], {"places": CLASSES})


@pytest.fixture
async def client(predictor: Predictor) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(create_app(Settings(), Engine([predictor]))) as client:
        yield client


async def ground(client: httpx.AsyncClient, **data: str) -> httpx.Response:
    return await client.post("/ground", files={"image": turned_jpeg()}, data=PHRASE | data)


async def test_boxes_are_in_the_picture_as_displayed(client: httpx.AsyncClient, predictor: Predictor) -> None:
    body = (await ground(client)).json()

    expected = predictor.predict("ground", image=turned_jpeg(), **PHRASE)
    assert list(body) == ["boxes", "absent_probability", "confidence", "model", "timings_ms", "notes"]
    assert body["absent_probability"] == pytest.approx(expected.absent_probability, abs=1e-4)  # type: ignore[attr-defined]
    assert len(body["boxes"]) == len(expected.boxes)  # type: ignore[attr-defined]
    for box in body["boxes"]:
        assert list(box) == ["box", "relative", "probability"]
        np.testing.assert_allclose(box["box"], np.array(box["relative"]) * (120, 160, 120, 160), atol=0.06)


async def test_candidates(client: httpx.AsyncClient) -> None:
    body = (await ground(client, candidates=json.dumps(CANDIDATES))).json()

    assert sorted(box["box"] for box in body["boxes"]) == CANDIDATES
    assert sum(box["probability"] for box in body["boxes"]) == pytest.approx(1)
    assert body["boxes"][0]["probability"] >= body["boxes"][1]["probability"]


@pytest.mark.parametrize(
    "candidates",
    [
        *("boxes", "[", "3", "[]", "{}", "[[0,0,1]]", '[[0,0,1,"a"]]', "[[0,0,NaN,5]]"),
        *("[[5,0,5,9]]", "[[0,0,130,9]]", json.dumps([[0, 0, 1, 1]] * 101)),
    ],
)
async def test_invalid_candidates_name_the_field(client: httpx.AsyncClient, candidates: str) -> None:
    response = await ground(client, candidates=candidates)

    error: dict[str, Any] = response.json()["error"]
    assert (response.status_code, error["code"]) in {(422, "invalid_value"), (422, "bad_option")}
    assert "candidates" in error["message"]


async def test_a_phrase_is_needed(client: httpx.AsyncClient) -> None:
    check(await client.post("/ground", files={"image": turned_jpeg()}), 422, "missing_part")
    check(await client.post("/ground", files={"image": turned_jpeg()}, data={"phrase": " "}), 422, "empty_phrase")
    error = check(await ground(client, phrase="dog " * 400), 422, "too_many_subwords")
    assert error["message"] == "the phrase has 802 subwords; at most 64 are accepted"


async def test_the_schema_describes_boxes(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]

    assert schemas["PlacedBoxBody"]["properties"]["box"]["minItems"] == 4
    assert "candidates" in schemas["GroundForm"]["properties"]


async def test_an_explanation_has_a_map_for_each_class(client: httpx.AsyncClient) -> None:
    body = (await ground(client, explain="true")).json()

    texts = [token["text"] for token in body["explanation"]["tokens"]]
    assert texts[0] == "box"
    assert len(texts) >= 5 * len(body["boxes"])
    assert len(texts) % 5 == (texts[-1] == "end")
