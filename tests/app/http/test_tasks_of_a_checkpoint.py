"""Tests that endpoints, request bodies, documentation and /tasks follow the checkpoint's tasks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import torch

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.model_config import ModelConfig
from omninet.model.network.omninet import OmniNet
from omninet.model.predictor import Predictor
from omninet.model.tasks import PICTURE, QUESTION, TASKS, TEXT, VIDEO, Input, Task, Use
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
SAME = Task(
    "same",
    (Input("left", "vision", "image"), Input("right", "page", "image"), QUESTION),
    "label",
    "yes or no",
    "whether two pictures show one thing",
    answer="verdict",
)
MOOD = Task("mood", (TEXT,), "label", "yes or no", "how a text sounds")
FIT = Task("fit", (PICTURE, TEXT), "label", "yes or no", "whether a text fits a picture")
RETELL = Task(
    "retell",
    (TEXT,),
    "text",
    "caption",
    "a text in other words",
    uses=(Use("retell"), Use("say-again", {"text": "tokens"}, "Say it again", "words in other words")),
)
LOOK = Task("look", (PICTURE,), "label", "yes or no", "a clip", uses=(Use("look-at-it", VIDEO),))


@pytest.fixture(scope="module")
def checkpoint(toy: Checkpoint) -> Checkpoint:
    """Build a checkpoint with custom tasks and, of the bundled tasks, only pos."""
    config = toy.config.network
    network = replace(
        config,
        peripherals={**config.peripherals, "page": VisionConfig(backbone="compact", size=96)},
        tasks={task.name: task for task in (SAME, MOOD, FIT, RETELL, LOOK, TASKS["pos"])},
        vocabularies={"pos": config.vocabularies["pos"], "caption": 120, "yes or no": 2},
        controls=(),
    )
    torch.manual_seed(0)
    vocabularies = {"pos": toy.vocabularies["pos"], "yes or no": ("no", "yes")}
    model = ModelConfig("several", "0.0.1", network, text_steps=12)
    return Checkpoint(model, OmniNet(network).eval(), toy.tokenizer_file, vocabularies, "# Several\n")


@pytest.fixture
async def client(checkpoint: Checkpoint) -> AsyncIterator[httpx.AsyncClient]:
    predictor = Predictor(checkpoint, device="cpu")
    async with talking_to(create_app(Settings(max_text_characters=100), Engine([predictor]))) as client:
        yield client


def files(*names: str) -> dict[str, tuple[str, bytes]]:
    return {name: ("a.jpg", jpeg_bytes(40 + 10 * i, 30)) for i, name in enumerate(names)}


async def test_two_pictures(client: httpx.AsyncClient) -> None:
    question = {"question": "are they the same ?"}
    response = await client.post("/same", files=files("left", "right"), data=question)

    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body) == ["verdict", "candidates", "confidence", "model", "timings_ms", "notes"]
    assert [list(candidate) for candidate in body["candidates"]] == [["verdict", "probability"]] * 2
    assert body["timings_ms"]["decode_media"] > 0
    check(await client.post("/same", files=files("left"), data=question), 422, "missing_part")
    check(await client.post("/same", files=files("left", "right")), 422, "missing_part")
    check(await client.post("/same", files=files("left", "right", "image"), data=question), 422, "unknown_field")
    explain = question | {"explain": "true"}
    check(await client.post("/same", files=files("left", "right"), data=explain), 422, "unknown_field")
    broken = files("left") | {"right": ("b.jpg", b"none")}
    check(await client.post("/same", files=broken, data=question), 422, "not_an_image")


async def test_each_picture_is_decoded_for_its_own_peripheral(client: httpx.AsyncClient) -> None:
    question = {"question": "are they the same ?"}
    given = files("left", "right")
    one = await client.post("/same", files=given, data=question)
    other = await client.post("/same", files={"left": given["right"], "right": given["left"]}, data=question)

    found, swapped = (response.json()["candidates"][0]["probability"] for response in (one, other))
    assert found != pytest.approx(swapped, abs=1e-6)


async def test_a_text_alone(client: httpx.AsyncClient) -> None:
    response = await client.post("/mood", json={"text": "what a day"})

    assert list(response.json()) == ["label", "candidates", "confidence", "model", "timings_ms", "notes"]
    words = await client.post("/mood", json={"tokens": ["what", "a", "day"]})
    assert words.json()["candidates"] == response.json()["candidates"]
    check(await client.post("/mood", json={}), 422, "missing_input")
    check(await client.post("/mood", json={"text": "a", "tokens": ["a"]}), 422, "unexpected_input")
    check(await client.post("/mood", json={"text": "a" * 101}), 413, "text_too_long")
    error = check(await client.post("/mood", json={"tokens": "a b"}), 422, "invalid_value")
    assert error["message"] == "'tokens' must be a list of words"
    error = check(await client.post("/mood", content='{"text": "\\ud800"}', headers=JSON), 422, "invalid_value")
    assert "lone surrogate" in error["message"]


JSON = {"Content-Type": "application/json"}


async def test_other_values_are_json_in_multipart(client: httpx.AsyncClient) -> None:
    one = await client.post("/fit", files=files("image"), data={"text": "A dog ."})
    other = await client.post("/fit", files=files("image"), data={"tokens": '["A", "dog", "."]'})

    assert one.status_code == other.status_code == 200, other.text
    assert one.json()["label"] == other.json()["label"]
    for wrong in ("A dog", "[1]", '{"a": "b"}', "["):
        error = check(await client.post("/fit", files=files("image"), data={"tokens": wrong}), 422, "invalid_value")
        assert error["message"] == "'tokens' must be JSON: a list of words"


async def test_use_without_a_form_accepts_each_form(client: httpx.AsyncClient) -> None:
    video = {"video": ("a.mp4", video_bytes())}
    assert (await client.post("/fit", files=video, data={"text": "A dog ."})).status_code == 200
    both = video | files("image")
    check(await client.post("/fit", files=both, data={"text": "A dog ."}), 422, "unexpected_input")
    check(await client.post("/fit", data={"text": "A"}, files={"none": b""}), 422, "unknown_field")
    check(await client.post("/look-at-it", files=files("image")), 422, "missing_part")
    explained = await client.post("/look-at-it", files=video, data={"explain": "true"})
    assert "explanation" in explained.json()
    text = check(await client.post("/fit", files={"image": (None, "text")}, data={"text": "A"}), 422, "not_a_file")
    assert "must be a file" in text["message"]


async def test_text_to_text_with_options(client: httpx.AsyncClient) -> None:
    body = {"text": "what a day", "beams": 2, "n_best": 2}
    response = await client.post("/retell", json=body)

    assert len(response.json()["alternatives"]) == 1, response.text
    check(await client.post("/retell", json=body | {"beams": 17}), 422, "invalid_value")
    streamed = await client.post("/retell", json={"text": "what a day", "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.count("event: answer") == 1
    assert (await client.post("/say-again", json={"tokens": ["what"]})).status_code == 200
    check(await client.post("/say-again", json={"text": "what"}), 422, "missing_part")


async def test_only_tasks_of_the_checkpoint_are_served(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    posts = {path for path, methods in paths.items() if "post" in methods} - {"/batch"}
    assert posts == {"/same", "/mood", "/fit", "/retell", "/say-again", "/look-at-it", "/pos"}
    error = check(await client.post("/caption", files=files("image")), 404, "task_not_in_checkpoint")
    assert error["message"] == (
        "the checkpoint has no task caption or german_caption; its tasks are pos, same, mood, fit, retell, look; "
        "use a checkpoint that has the task, or train one"
    )
    assert error["detail"] == {"tasks": ["caption", "german_caption"]}
    error = check(await client.post("/verify", json={"any": "body"}), 404, "task_not_in_checkpoint")
    assert error["detail"] == {"tasks": ["entailment", "truth"]}
    check(await client.post("/nothing"), 404, "not_found")


async def test_items_of_a_batch_for_a_missing_task(client: httpx.AsyncClient) -> None:
    items = [{"task": name, "inputs": {"text": "A dog."}} for name in ("match", "pos", "nothing")]

    missing, answered, unknown = (await client.post("/batch", json={"items": items})).json()["results"]

    single = await client.post("/match", files=files("image"))
    assert missing == {"status": 404} | single.json()
    assert answered["status"] == 200
    assert (unknown["status"], unknown["error"]["code"]) == (422, "unknown_task")


async def test_endpoints_follow_the_model_that_is_put_into_service(checkpoint: Checkpoint) -> None:
    app = create_app(Settings(), Engine([Predictor(checkpoint, device="cpu")]))
    network = checkpoint.config.network
    other = replace(network, tasks={"fit": FIT, "caption": TASKS["caption"]}, controls=())
    async with talking_to(app) as client:
        app.state.service.backend.on_model(other)
        check(await client.post("/caption"), 415, "unsupported_media_type")
        check(await client.post("/pos", json={"text": "a"}), 404, "task_not_in_checkpoint")

        app.state.service.backend.on_model(network)
        check(await client.post("/caption"), 404, "task_not_in_checkpoint")
        assert (await client.post("/pos", json={"text": "A dog."})).status_code == 200


async def test_task_list_is_complete(client: httpx.AsyncClient) -> None:
    tasks = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}

    assert list(tasks) == ["pos", "same", "mood", "fit", "retell", "look"]
    assert (tasks["same"]["vocabulary"], tasks["retell"]["vocabulary"]) == (2, 120)
    assert tasks["same"]["inputs"] == ["vision", "page", "language"]
    assert tasks["mood"]["limits"] == {"characters": 100, "subwords": 64}
    assert tasks["look"]["limits"] == {
        "upload_bytes": 64 * 2**20,
        "image_pixels": 200_000_000,
        "frame_pixels": 10_000_000,
        "video_seconds": 600,
    }
    assert tasks["retell"]["endpoints"] == ["/retell", "/say-again"]
    (use,) = tasks["same"]["uses"]
    facts = {name: use[name] for name in ("path", "title", "multipart", "streams", "explains")}
    assert facts == {"path": "/same", "title": "same", "multipart": True, "streams": False, "explains": False}
    assert [(f["name"], f["role"], f["modality"], f["upload"], f["text"], f["required"]) for f in use["fields"]] == [
        ("left", "left", "vision", True, False, True),
        ("right", "right", "vision", True, False, True),
        ("question", "question", "language", False, True, True),
    ]
    fields = tasks["fit"]["uses"][0]["fields"]
    assert [(f["name"], f["form"], f["text"], f["required"]) for f in fields] == [
        ("image", "image", False, False),
        ("video", "video", False, False),
        ("text", "text", True, False),
        ("tokens", "tokens", False, False),
    ]
    assert fields[0]["accept"].startswith("image/jpeg")
    assert (tasks["retell"]["uses"][1]["title"], tasks["retell"]["uses"][1]["streams"]) == ("Say it again", True)


async def test_documentation_of_any_task(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    post = document["paths"]["/fit"]["post"]
    form = document["components"]["schemas"]["FitForm"]

    assert post["tags"] == ["fit"]
    assert post["description"].startswith(
        "Whether a text fits a picture.\n\n```sh\ncurl -s http://127.0.0.1:8000/static"
    )
    assert form["properties"]["tokens"]["contentMediaType"] == "application/json"
    assert form["properties"]["tokens"]["contentSchema"] == {"items": {"type": "string"}, "type": "array"}
    assert form["additionalProperties"] is False
    assert "required" not in form
    assert document["components"]["schemas"]["SameForm"]["required"] == ["left", "right", "question"]
    assert "-F left=@FILE -F right=@FILE" in document["paths"]["/same"]["post"]["description"]
    for path in ("/mood", "/retell", "/say-again"):
        examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for example in examples.values():
            response = await client.post(path, content=json.dumps(example["value"]), headers=JSON)
            assert response.status_code == 200, response.text


async def test_application_routes_take_precedence(checkpoint: Checkpoint) -> None:
    app = create_app(Settings(), Engine([Predictor(checkpoint, device="cpu")]))

    async def mine() -> dict[str, Any]:
        return {"mine": True}

    app.add_api_route("/mood", mine, methods=["POST"], tags=["mood"])
    app.router.routes.insert(0, app.router.routes.pop())
    async with talking_to(app) as client:
        assert (await client.post("/mood")).json() == {"mine": True}
        assert (await client.post("/pos", json={"text": "A dog."})).status_code == 200
