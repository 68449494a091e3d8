"""The index over HTTP: add, look up, remove, search."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.http.search import requests
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.media.images import decode_image
from omninet.model.outputs.scene import output as scenes
from omninet.model.outputs.scene.box import WordBox
from omninet.model.outputs.spans.answer import Entities
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import image_bytes, jpeg_bytes, picture
from tests.toys import toy_with, with_new_tasks, with_scenes

pytestmark = pytest.mark.anyio
PHOTOS = [image_bytes(picture(60 + 10 * number, 80), "JPEG") for number in range(4)]
FIELDS = [
    {"metadata": json.dumps({"number": number, "tags": ["all", f"t{number}"]}), "text": f"Photo {number} of Rome"}
    for number in range(4)
]


@pytest.fixture
async def client(toy: Checkpoint, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Client of a server with an empty index."""
    app = create_app(Settings(index=str(tmp_path / "index")), Engine([Predictor(with_new_tasks(toy), device="cpu")]))
    async with talking_to(app) as client:
        yield client


async def add(client: httpx.AsyncClient, photo: bytes, **fields: str) -> httpx.Response:
    return await client.post("/index", files={"image": photo}, data=fields)


async def search(client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    response = await client.post("/search", files={name: (None, str(value)) for name, value in fields.items()})
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


async def test_an_empty_index(client: httpx.AsyncClient) -> None:
    assert await search(client, text="a dog") == []
    assert (await client.get("/index")).json()["count"] == 0


async def test_a_picture_is_added_once(client: httpx.AsyncClient) -> None:
    first = await add(client, PHOTOS[0], source="a.jpg", **FIELDS[0])
    again = await add(client, PHOTOS[0], id="another")

    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "created": False})
    info = (await client.get("/index")).json()
    assert (info["count"], info["exits"], info["width"]) == (1, ["fast", "balanced", "best"], 32)
    entry = (await client.get(f"/index/{first.json()['id']}")).json()
    assert entry.pop("caption")
    del entry["entities"]  # whatever a random network finds
    assert entry == {
        "id": first.json()["id"],
        "source": "a.jpg",
        "text": "Photo 0 of Rome",
        "metadata": {"number": 0, "tags": ["all", "t0"]},
        "words": [],
    }


async def test_another_picture_of_an_id_replaces_the_entry(client: httpx.AsyncClient) -> None:
    assert (await add(client, PHOTOS[0], id="mine")).status_code == 201
    assert (await add(client, PHOTOS[1], id="mine", source="b")).status_code == 200

    assert (await client.get("/index")).json()["count"] == 1
    assert (await client.get("/index/mine")).json()["source"] == "b"


async def test_entries_are_removed(client: httpx.AsyncClient) -> None:
    await add(client, PHOTOS[0], id="mine")

    assert (await client.delete("/index/mine")).status_code == 204

    check(await client.delete("/index/mine"), 404, "not_in_index")
    check(await client.get("/index/mine"), 404, "not_in_index")
    check(await client.get("/index/mine/thumbnail"), 404, "not_in_index")


async def test_a_method_that_a_path_lacks(client: httpx.AsyncClient) -> None:
    response = await client.put("/index/mine")
    check(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == {"DELETE", "GET"}


async def test_thumbnails_have_the_proportions_of_the_picture(client: httpx.AsyncClient) -> None:
    await add(client, image_bytes(picture(900, 600), "JPEG"), id="large")
    await add(client, image_bytes(picture(30, 60), "JPEG"), id="small")

    sizes = {}
    for name in ("large", "small"):
        response = await client.get(f"/index/{name}/thumbnail")
        assert response.headers["content-type"] == "image/jpeg"
        sizes[name] = decode_image(response.content).pixels.shape[1:]

    assert sizes == {"large": (171, 256), "small": (60, 30)}


async def test_searches(client: httpx.AsyncClient) -> None:
    for number, (photo, fields) in enumerate(zip(PHOTOS, FIELDS, strict=True)):
        await add(client, photo, id=str(number), **fields)

    for exit_name in ("fast", "balanced", "best"):
        found = await search(client, text="a dog", exit=exit_name)
        assert {hit["id"] for hit in found} == {"0", "1", "2", "3"}
        assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
    assert [hit["id"] for hit in await search(client, contains="photo 2")] == ["2"]
    assert [hit["score"] for hit in await search(client, contains="rome", limit=2)] == [None, None]
    narrowed = await search(client, text="a", filter='{"number": {"gte": 1, "lte": 2}, "tags": "all"}')
    assert {hit["id"] for hit in narrowed} == {"1", "2"}
    response = await client.post("/search", files={"image": PHOTOS[0]}, data={"limit": 1})
    assert response.json()["hits"][0]["score"] == pytest.approx(1, abs=0.01)


async def test_the_second_stage(client: httpx.AsyncClient) -> None:
    for number, photo in enumerate(PHOTOS):
        await add(client, photo, id=str(number))

    hits = await search(client, text="a dog", rerank=2, limit=3)

    assert [hit["rerank_score"] is None for hit in hits] == [False, False, True]
    assert hits[0]["rerank_score"] >= hits[1]["rerank_score"]


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"limit": "3"}, "missing_input", "text"),
        ({"text": "a", "limit": "0"}, "invalid_value", "limit"),
        ({"text": "a", "limit": "101"}, "invalid_value", "limit"),
        ({"text": "a", "exit": "worst"}, "invalid_value", "exit"),
        ({"text": "a", "rerank": "-1"}, "invalid_value", "rerank"),
        ({"contains": "a", "rerank": "1"}, "unexpected_input", "rerank"),
        ({"text": "a", "filter": "{"}, "invalid_filter", "filter"),
        ({"text": "a", "colour": "red"}, "unknown_field", "colour"),
        ({"text": "a\x00"}, "invalid_value", "text"),
    ],
)
async def test_wrong_searches(client: httpx.AsyncClient, fields: dict[str, str], code: str, word: str) -> None:
    response = await client.post("/search", files={name: (None, value) for name, value in fields.items()})

    assert word in check(response, 422, code)["message"]


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"metadata": "{"}, "invalid_metadata", "valid JSON"),
        ({"metadata": "[1]"}, "invalid_metadata", "must be an object"),
        ({"metadata": '{"a": NaN}'}, "invalid_metadata", "NaN is not JSON"),
        ({"metadata": '{"a": "\\u0000"}'}, "invalid_metadata", "U\\+0000"),
        ({"metadata": json.dumps({"a": "b" * 2**14})}, "invalid_metadata", "at most 16,384 are accepted"),
        ({"metadata": '{"a":' + "[" * 9000 + "]" * 9000 + "}"}, "invalid_metadata", "metadata"),
        ({"id": "a" * 129}, "invalid_value", "id"),
        ({"text": "a\x00b"}, "invalid_value", "text"),
    ],
)
async def test_wrong_entries(client: httpx.AsyncClient, fields: dict[str, str], code: str, word: str) -> None:
    import re

    found = check(await add(client, PHOTOS[0], **fields), 422, code)

    assert re.search(word, found["message"])
    assert (await client.get("/index")).json()["count"] == 0


async def test_no_picture(client: httpx.AsyncClient) -> None:
    error = check(await add(client, b"no picture"), 422, "not_an_image")

    assert error["detail"]["input"] == "image"
    assert (await client.get("/index")).json()["count"] == 0


async def test_a_full_index(toy: Checkpoint, tmp_path: Path) -> None:
    settings = Settings(index=str(tmp_path / "index"), max_index_entries=1)
    async with talking_to(create_app(settings, Engine([Predictor(with_new_tasks(toy), device="cpu")]))) as client:
        await add(client, PHOTOS[0])
        check(await add(client, PHOTOS[1]), 507, "index_full")
        assert (await add(client, PHOTOS[0])).status_code == 200


async def test_the_index_of_another_model(toy: Checkpoint, tmp_path: Path) -> None:
    from dataclasses import replace

    settings = Settings(index=str(tmp_path / "index"))
    for digest in ("1" * 64, "2" * 64):
        predictor = Predictor(replace(with_new_tasks(toy), digest=digest), device="cpu")
        async with talking_to(create_app(settings, Engine([predictor]))) as client:
            response = await add(client, PHOTOS[int(digest[0])])
    error = check(response, 409, "index_mismatch")
    assert "omninet index rebuild" in error["message"]


async def test_while_the_owner_is_away(client: httpx.AsyncClient, tmp_path: Path) -> None:
    await add(client, PHOTOS[0], id="mine")
    owner = int((tmp_path / "index" / "owner.lock").read_text())
    os.kill(owner, signal.SIGSTOP)
    os.kill(owner, signal.SIGKILL)

    response = await client.get("/index/mine")
    for _ in range(200):
        if response.status_code == 200:
            break
        assert check(response, 503, "index_unavailable")
        assert response.headers["retry-after"] == "2"
        assert (await client.get("/tasks")).status_code == 200
        await asyncio.sleep(0.05)
        response = await client.get("/index/mine")

    assert response.json()["id"] == "mine"


async def test_without_an_index(toy_predictor: Predictor) -> None:
    async with talking_to(create_app(Settings(index="none"), Engine([toy_predictor]))) as client:
        check(await client.get("/index"), 404, "not_found")
        check(await client.post("/search", files={"text": (None, "a")}), 404, "not_found")
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.startswith(("/index", "/search"))]


async def test_a_picture_is_found_by_the_names_in_its_text(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entities, "names", ("Rome", "Ada"))
    await add(client, PHOTOS[0], id="named", text="Ada in Rome")
    await add(client, PHOTOS[1], id="silent")

    assert [hit["id"] for hit in await search(client, entity="ada")] == ["named"]
    assert (await client.get("/index/named")).json()["entities"] == ["Rome", "Ada"]
    assert (await client.get("/index/silent")).json()["entities"] == []


async def test_a_model_loaded_for_texts_alone(toy: Checkpoint, tmp_path: Path) -> None:
    save(with_new_tasks(toy), tmp_path / "model")
    settings = Settings(index=str(tmp_path / "index"))
    whole, part = (
        create_app(settings, Engine([Predictor(load(tmp_path / "model", tasks), device="cpu")]))
        for tasks in (None, ["embed:text"])
    )
    async with talking_to(whole) as client:
        for number, photo in enumerate(PHOTOS):
            await add(client, photo, id=str(number))
        expected = await search(client, text="a dog")
    async with talking_to(part) as client:
        assert await search(client, text="a dog") == expected
        check(await add(client, image_bytes(picture(33, 44), "JPEG")), 422, "unexpected_input")
        response = await client.post("/search", files={"image": PHOTOS[0]})
        assert "without its input image" in check(response, 422, "unexpected_input")["message"]


async def test_a_model_that_does_not_embed(toy: Checkpoint, tmp_path: Path) -> None:
    names = {"caltech101": ("accordion", "airplanes", "anchor")}
    settings = Settings(index=str(tmp_path / "index"))
    async with talking_to(create_app(settings, Engine([toy_with(toy, ["caltech101"], names)]))) as client:
        check(await add(client, jpeg_bytes()), 404, "task_not_in_checkpoint")
        response = await client.post("/search", files={"text": (None, "a dog")})
        check(response, 404, "task_not_in_checkpoint")


@pytest.fixture
async def reading(toy: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Client of a server whose model finds one word in every picture, and reads it at random."""
    monkeypatch.setattr(scenes, "_found", lambda *_: [WordBox(30, 40, 20, 10)])
    monkeypatch.setattr(requests, "READ_OPTIONS", {"least": 0.0})
    app = create_app(Settings(index=str(tmp_path / "index")), Engine([Predictor(with_scenes(toy), device="cpu")]))
    async with talking_to(app) as client:
        yield client


async def test_what_is_written_is_read_and_found(reading: httpx.AsyncClient) -> None:
    (read, plain) = [await add(reading, PHOTOS[i], source=str(i), **({"read": "true"} if i else {})) for i in (1, 0)]
    (word,) = (await reading.get(f"/index/{read.json()['id']}")).json()["words"]

    (hit,) = await search(reading, contains=word["text"])

    assert hit["source"] == "1"
    assert hit["found"] == [word]
    assert word["corners"][0] == [pytest.approx(20 / 70, abs=1e-3), pytest.approx(35 / 80, abs=1e-3)]
    assert (await reading.get(f"/index/{plain.json()['id']}")).json()["words"] == []


async def test_a_model_that_cannot_read(client: httpx.AsyncClient) -> None:
    check(await add(client, PHOTOS[0], read="true"), 404, "task_not_in_checkpoint")
    assert (await client.get("/index")).json()["count"] == 0
