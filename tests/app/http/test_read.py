"""POST /read: words on pictures of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.test_errors import check
from tests.samples import jpeg_bytes
from tests.toys import with_reading

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(toy: Checkpoint) -> AsyncIterator[httpx.AsyncClient]:
    predictor = Predictor(with_reading(toy), device="cpu")
    async with talking_to(create_app(Settings(device="cpu"), Engine([predictor]))) as client:
        yield client


async def test_a_word_is_read(client: httpx.AsyncClient) -> None:
    image = {"image": jpeg_bytes(90, 30)}
    plain, named = [
        (await client.post("/read", files=image, data=data)).json()
        for data in ({"beams": "2", "n_best": "2"}, {"beams": "2", "mode": "word"})
    ]

    assert plain["text"] == named["text"] == "".join(token["text"] for token in plain["tokens"])
    assert 0 < plain["probability"] < 1
    assert len(plain["alternatives"]) == 1


async def test_a_request_that_cannot_be_answered(client: httpx.AsyncClient) -> None:
    image = {"image": jpeg_bytes(90, 30)}

    check(await client.post("/read", files=image, data={"mode": "novel"}), 422, "invalid_value")
    check(await client.post("/read", files={"image": b"none"}), 422, "not_an_image")
    check(await client.post("/read", data={}, files={"file": b""}), 422, "missing_part")
