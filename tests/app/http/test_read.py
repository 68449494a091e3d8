"""POST /read: words on pictures of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs.scene import output as scene_output
from omninet.model.outputs.scene.box import WordBox
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes
from tests.toys import with_reading, with_scenes

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

    error = check(await client.post("/read", files=image, data={"mode": "novel"}), 422, "invalid_value")
    assert error["detail"]["problems"][0]["field"] == "mode"
    check(await client.post("/read", files={"image": b"none"}), 422, "not_an_image")
    check(await client.post("/read", data={}, files={"file": b""}), 422, "missing_part")


@pytest.fixture
async def scenes(toy: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a network that finds one word in every picture, and reads it however unlikely it is."""
    monkeypatch.setattr(scene_output, "LEAST", 0.0)
    monkeypatch.setattr(scene_output, "_found", lambda *_: [WordBox(60, 40, 80, 20)])
    predictor = Predictor(with_scenes(toy), device="cpu")
    async with talking_to(create_app(Settings(device="cpu"), Engine([predictor]))) as client:
        yield client


async def test_a_scene_is_read_by_default(scenes: httpx.AsyncClient) -> None:
    image = {"image": jpeg_bytes(300, 200)}
    plain = (await scenes.post("/read", files=image)).json()
    named = (await scenes.post("/read", files=image, data={"mode": "scene"})).json()

    assert plain["mode"] == "scene"
    assert plain["words"] == named["words"]
    (word,) = plain["words"]
    assert set(word) == {"text", "point", "corners", "relative", "probability"}
    assert (word["text"], word["point"]) == (named["words"][0]["text"], [pytest.approx(70.3, abs=0.1), 46.9])


async def test_each_mode_answers_in_its_own_way(scenes: httpx.AsyncClient) -> None:
    image = {"image": jpeg_bytes(90, 30)}
    word = (await scenes.post("/read", files=image, data={"mode": "word", "beams": "2"})).json()

    assert word["mode"] == "word"
    assert word["text"] == "".join(token["text"] for token in word["tokens"])
    check(await scenes.post("/read", files=image, data={"mode": "scene", "beams": "2"}), 422, "unexpected_input")
    check(await scenes.post("/read", files=image, data={"stream": "true"}), 422, "bad_option")
    streamed = await scenes.post("/read", files=image, data={"mode": "word", "stream": "true"})
    assert streamed.headers["content-type"].startswith("text/event-stream")


async def test_both_modes_are_described(scenes: httpx.AsyncClient) -> None:
    tasks = {task["name"]: task for task in (await scenes.get("/tasks")).json()["tasks"]}
    schema = (await scenes.get("/openapi.json")).json()

    uses = {name: tasks[name]["uses"][0] for name in ("read_scene", "read_word")}
    assert [use["choice"] for use in uses.values()] == ["scene", "word"]
    assert [use["streams"] for use in uses.values()] == [False, True]
    body = schema["paths"]["/read"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert {option["$ref"].rsplit("/", 1)[1] for option in body["anyOf"]} == {"SceneModeReply", "WordModeReply"}


async def test_the_columns_of_a_word_are_shown(scenes: httpx.AsyncClient) -> None:
    image = {"image": jpeg_bytes(90, 30)}
    answer = (await scenes.post("/read", files=image, data={"mode": "word", "explain": "true"})).json()
    drawn = await scenes.post("/read", files=image, data={"mode": "word", "format": "png"})

    assert answer["explanation"]["grid"] == [4, 12]
    assert drawn.headers["content-type"] == "image/png"
    check(await scenes.post("/read", files=image, data={"explain": "true"}), 422, "unexpected_input")
