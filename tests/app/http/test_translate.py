"""POST /translate: one text or several, between two languages."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes
from tests.toys import PAIRS, SEEN, with_german_captions, with_translation

pytestmark = pytest.mark.anyio
TEXT = "A dog runs."


@pytest.fixture
async def client(toy: Checkpoint) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(device="cpu")
    predictor = Predictor(with_translation(toy), device="cpu")
    async with talking_to(create_app(settings, Engine([predictor]))) as client:
        yield client


async def translated(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/translate", json=fields)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_the_languages_choose_the_direction(client: httpx.AsyncClient) -> None:
    default, there, back = [
        await translated(client, text=TEXT, **fields)
        for fields in ({}, {"source": "en", "target": "de"}, {"source": "de", "target": "en"})
    ]

    assert (default["source"], default["target"]) == (there["source"], there["target"]) == ("en", "de")
    assert (back["source"], back["target"]) == ("de", "en")
    assert default["translation"] == there["translation"] != back["translation"]
    assert "".join(token["text"] for token in back["tokens"]) == back["translation"]
    assert back["alternatives"] == []


async def test_a_list_has_lists(client: httpx.AsyncClient) -> None:
    body = await translated(client, text=[TEXT, "Two men play."], n_best=2, beams=2)

    names = ("translation", "log_probability", "tokens", "alternatives")
    assert [len(body[name]) for name in names] == [2, 2, 2, 2]
    assert body["translation"][0] == (await translated(client, text=TEXT, beams=2))["translation"]


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"source": "fr"}, "invalid_value", "source"),
        ({"target": "klingon"}, "invalid_value", "target"),
        ({"source": "en", "target": "en"}, "bad_option", "source-target must be one of en-de, de-en, not en-en"),
        ({"source": "de"}, "bad_option", "not de-de"),
        ({"text": []}, "empty_text", "the list of texts is empty"),
        ({"text": [TEXT, " "]}, "empty_text", "text 1 is empty"),
        ({"text": [TEXT] * 65}, "too_many_texts", "65 texts"),
        ({"text": 3}, "invalid_value", "text"),
    ],
)
async def test_a_request_that_cannot_be_answered(
    client: httpx.AsyncClient, fields: dict[str, Any], code: str, named: str
) -> None:
    response = await client.post("/translate", json={"text": TEXT} | fields)

    check(response, 422, code)
    assert named in response.text


async def test_both_directions_are_listed_and_in_batches(client: httpx.AsyncClient) -> None:
    tasks = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
    back = {"source": "de", "target": "en"}
    items = [
        {"task": "translate", "inputs": {"text": TEXT}},
        {"task": "translate", "inputs": {"text": TEXT}, "options": back},
        {"task": "pos", "inputs": {"text": TEXT}},
    ]

    found = (await client.post("/batch", json={"items": items})).json()["results"]

    uses = [tasks[name]["uses"][0] for name in ("english_german", "german_english")]
    assert [(use["chooses"], use["choice"]) for use in uses] == [("source-target", "en-de"), ("source-target", "de-en")]
    for item, alone in ((found[0], {}), (found[1], back)):
        assert item["answer"]["translation"] == (await translated(client, text=TEXT, **alone))["translation"]
    assert found[2]["answer"]["sentences"]


async def test_a_form_has_a_picture_beside_the_text(toy: Checkpoint) -> None:
    predictor = Predictor(with_translation(toy, (*PAIRS, *SEEN)), device="cpu")
    image, back = jpeg_bytes(40, 30), {"source": "de", "target": "en"}
    files = {"image": image}

    async with talking_to(create_app(Settings(device="cpu"), Engine([predictor]))) as client:
        seen = (await client.post("/translate", data={"text": TEXT}, files=files)).json()
        texts = json.dumps([TEXT, "Two men play."])
        several = (await client.post("/translate", data={"text": texts, **back}, files=files)).json()
        blind = await translated(client, text=TEXT)
        check(await client.post("/translate", data={"text": TEXT}, files={"other": b""}), 422, "missing_part")
        check(await client.post("/translate", data={"text": TEXT}, files={"image": b"none"}), 422, "not_an_image")
        check(await client.post("/translate", files={"text": TEXT.encode(), **files}), 422, "invalid_value")
        check(await client.post("/translate", data={"text": '["a", 1]'}, files=files), 422, "invalid_value")
        quoted = await client.post("/translate", data={"text": '"Go" [quickly]'}, files=files)
        assert isinstance(quoted.json()["translation"], str)
        schema = (await client.get("/openapi.json")).json()
        tasks = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
        item = {"text": TEXT, "image": base64.b64encode(image).decode()}
        items = [{"task": "translate", "inputs": inputs} for inputs in (item, {"text": TEXT})]
        batch = (await client.post("/batch", json={"items": items})).json()["results"]

    assert seen["log_probability"] != blind["log_probability"]
    assert (len(several["translation"]), several["source"]) == (2, "de")
    content = schema["paths"]["/translate"]["post"]["requestBody"]["content"]
    assert content["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"
    assert content.keys() == {"application/json", "multipart/form-data"}
    (use,) = tasks["english_german_seen"]["uses"]
    assert (use["path"], use["multipart"], use["choice"]) == ("/translate", True, "en-de")
    assert tasks["english_german_seen"]["endpoints"] == ["/translate"]
    assert [each["answer"]["translation"] for each in batch] == [seen["translation"], blind["translation"]]


async def test_a_checkpoint_that_only_translates_with_a_picture(toy: Checkpoint) -> None:
    predictor = Predictor(with_translation(toy, SEEN), device="cpu")

    async with talking_to(create_app(Settings(device="cpu"), Engine([predictor]))) as client:
        seen = await client.post("/translate", data={"text": TEXT}, files={"image": jpeg_bytes(40, 30)})
        check(await client.post("/translate", json={"text": TEXT}), 415, "unsupported_media_type")

    assert seen.status_code == 200


async def test_a_checkpoint_without_translation(serve: Any) -> None:
    async with serve() as client:
        check(await client.post("/translate", json={"text": TEXT}), 404, "task_not_in_checkpoint")


async def test_captions_in_german(toy: Checkpoint) -> None:
    settings, image = Settings(device="cpu"), jpeg_bytes(40, 30)
    predictor = Predictor(with_german_captions(toy), device="cpu")

    async with talking_to(create_app(settings, Engine([predictor]))) as client:
        found = [
            (await client.post("/caption", files={"image": image}, data=data)).json()
            for data in ({}, {"language": "en"}, {"language": "de"})
        ]
        check(await client.post("/caption", files={"image": image}, data={"language": "fr"}), 422, "invalid_value")

    assert [body["language"] for body in found] == ["en", "en", "de"]
    assert found[0]["caption"] == found[1]["caption"] != found[2]["caption"]


async def test_captions_of_one_language_have_no_choice(serve: Any) -> None:
    async with serve() as client:
        body = (await client.post("/caption", files={"image": jpeg_bytes(40, 30)})).json()

    assert "language" not in body
