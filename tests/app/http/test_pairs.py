"""Requests with a second picture: /verify with ``second_image``."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes, picture
from tests.toys import toy_with

pytestmark = pytest.mark.anyio
CLASSES = {"entailment": ("contradiction", "entailment", "neutral"), "truth": ("true", "false")}
TRUTH = {"statement": "Both pictures show a dog.", "kind": "truth"}


def serving(predictor: Predictor) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return talking_to(create_app(Settings(), Engine([predictor])))


def network(toy: Checkpoint, tasks: Collection[str]) -> Predictor:
    return toy_with(toy, tasks, CLASSES)


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    """Return a network whose tasks compare one picture or two with a statement."""
    return network(toy, ["entailment", "truth", "pair"])


@pytest.fixture
async def client(predictor: Predictor) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(predictor) as client:
        yield client


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Return two different pictures."""
    return {"image": jpeg_bytes(), "second_image": jpeg_bytes(120, 90)}


async def verify(client: httpx.AsyncClient, files: dict[str, bytes], **fields: str) -> httpx.Response:
    return await client.post("/verify", files=files, data=TRUTH | fields)


async def test_two_pictures_are_answered_by_the_task_for_pairs(
    client: httpx.AsyncClient, predictor: Predictor, files: dict[str, bytes]
) -> None:
    body = (await verify(client, files)).json()

    expected = predictor.predict("pair", **files, statement=TRUTH["statement"])
    assert isinstance(expected, Label)
    assert body["label"] == expected.label
    assert body["candidates"][0]["probability"] == pytest.approx(expected.candidates[0].probability, abs=1e-4)
    alone = (await verify(client, {"image": files["image"]})).json()
    assert alone["candidates"] != body["candidates"]


async def test_the_order_of_the_pictures_matters(client: httpx.AsyncClient, files: dict[str, bytes]) -> None:
    swapped = {"image": files["second_image"], "second_image": files["image"]}

    given, other = (await verify(client, files)).json(), (await verify(client, swapped)).json()

    assert given["candidates"] != other["candidates"]


async def test_the_attention_to_both_pictures(client: httpx.AsyncClient, files: dict[str, bytes]) -> None:
    explained = (await verify(client, files, explain="true")).json()["explanation"]

    assert len(explained["tokens"][0]["cells"]) == 2
    assert (await verify(client, files, format="png")).headers["content-type"] == "image/png"


async def test_pairs_in_a_batch(client: httpx.AsyncClient, files: dict[str, bytes]) -> None:
    inputs = {name: base64.b64encode(data).decode() for name, data in files.items()}
    items = [{"task": "verify", "inputs": inputs | {"statement": "A dog."}, "options": {"kind": "truth"}}]

    (result,) = (await client.post("/batch", json={"items": items})).json()["results"]

    assert result["status"] == 200


async def test_only_statements_about_truth_take_a_second_picture(
    client: httpx.AsyncClient, files: dict[str, bytes]
) -> None:
    error = check(await verify(client, files, kind="entailment"), 422, "not_trained")

    assert error["detail"]["input"] == "second_image"
    assert "second_image" in error["message"]


async def test_a_checkpoint_without_the_task_for_pairs_says_so(toy: Checkpoint, files: dict[str, bytes]) -> None:
    async with serving(network(toy, ["entailment", "truth"])) as client:
        check(await verify(client, files), 422, "not_trained")
        listed = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
        assert [field["name"] for field in listed["truth"]["uses"][0]["fields"]] == ["image", "statement"]
        assert (await verify(client, {"image": files["image"]})).status_code == 200


async def test_a_broken_second_picture_is_named(client: httpx.AsyncClient, files: dict[str, bytes]) -> None:
    error = check(await verify(client, files | {"second_image": b"no picture"}), 422, "not_an_image")

    assert error["detail"]["input"] == "second_image"


async def test_the_second_picture_is_listed_as_optional(client: httpx.AsyncClient) -> None:
    listed = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
    schema: dict[str, Any] = (await client.get("/openapi.json")).json()

    fields = {field["name"]: field for field in listed["pair"]["uses"][0]["fields"]}
    assert (fields["image"]["required"], fields["second_image"]["required"]) == (True, False)
    assert listed["pair"]["endpoints"] == ["/verify"]
    form = schema["components"]["schemas"]["VerifyForm"]
    assert "second_image" not in form["required"]
    assert form["properties"]["kind"]["enum"] == ["entailment", "truth"]


def test_pictures_of_a_pair_are_two_frames(predictor: Predictor) -> None:
    job = predictor.prepare("pair", image=picture(), second_image=picture().rotate(90), statement="A dog.")

    frames = job.rows[0].inputs[0].value
    assert frames.shape[0] == job.rows[0].inputs[0].frames == 2
    assert (frames[0] != frames[1]).any()
