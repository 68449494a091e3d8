"""POST /embed: an image or a text, three exits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes, video_bytes
from tests.toys import toy_with

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return toy_with(toy, ["embed"])


@pytest.fixture
async def client(predictor: Predictor) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(create_app(Settings(), Engine([predictor]))) as client:
        yield client


async def embed(client: httpx.AsyncClient, image: bytes | None = None, **data: str) -> httpx.Response:
    # httpx sends a form without files as application/x-www-form-urlencoded unless a part is given as a file.
    parts: dict[str, Any] = {name: (None, value) for name, value in data.items()}
    return await client.post("/embed", files=parts | ({"image": ("a.jpg", image)} if image else {}))


@pytest.mark.parametrize("name", ["fast", "balanced", "best"])
async def test_an_image_or_a_text(client: httpx.AsyncClient, predictor: Predictor, name: str) -> None:
    for given, response in (
        ({"image": jpeg_bytes()}, await embed(client, jpeg_bytes(), exit=name)),
        ({"text": "A dog."}, await embed(client, text="A dog.", exit=name)),
    ):
        body = response.json()
        assert response.status_code == 200, body
        assert list(body) == ["vector", "width", "exit", "confidence", "model", "timings_ms", "notes"]
        assert (body["exit"], body["width"], body["confidence"]) == (name, 32, None)
        expected = predictor.predict("embed", **given, exit=name)
        np.testing.assert_allclose(body["vector"], expected.vector, atol=1e-4)  # type: ignore[attr-defined]


async def test_best_is_the_default(client: httpx.AsyncClient) -> None:
    assert (await embed(client, text="A dog.")).json()["exit"] == "best"


async def test_neither_or_both_is_an_error(client: httpx.AsyncClient) -> None:
    error = check(await embed(client, exit="fast"), 422, "missing_input")
    assert "image" in error["message"]
    assert "text" in error["message"]
    check(await embed(client, jpeg_bytes(), text="A dog."), 422, "unexpected_input")
    check(await embed(client, text="A dog.", exit="slow"), 422, "invalid_value")
    check(await embed(client, text="   "), 422, "empty_text")
    check(await embed(client, b"none"), 422, "not_an_image")
    check(await client.post("/embed", files={"video": video_bytes()}), 422, "unknown_field")


async def test_the_schema_and_the_tasks_say_so(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()["components"]["schemas"]["EmbedForm"]
    (task,) = (await client.get("/tasks")).json()["tasks"]

    assert "required" not in schema
    assert len(schema["not"]["anyOf"]) == 4
    assert schema["properties"]["exit"]["enum"] == ["best", "balanced", "fast"]
    assert {field["group"] for field in task["uses"][0]["fields"]} == {"embed"}
    assert not any(field["required"] for field in task["uses"][0]["fields"])
