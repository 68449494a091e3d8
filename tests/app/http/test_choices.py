"""Endpoints that several tasks share: /verify with its field ``kind``, /vqa with ``family``; and /match."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS, Use
from omninet.model.uses import uses_of
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes, video_bytes
from tests.toys import NEW_VOCABULARIES, toy_with

pytestmark = pytest.mark.anyio
NAMES = {
    "match": ("match", "no-match"),
    "entailment": ("contradiction", "entailment", "neutral"),
    "truth": ("true", "false"),
}
STATEMENT = {"statement": "A dog runs through the grass."}


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    """Return a network with the tasks that compare a picture with a text."""
    return toy_with(toy, NAMES, NAMES)


@pytest.fixture
async def client(predictor: Predictor) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(create_app(Settings(), Engine([predictor]))) as client:
        yield client


async def verify(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/verify", files={"image": jpeg_bytes()}, data=STATEMENT | fields)


async def test_a_field_chooses_the_task(client: httpx.AsyncClient, predictor: Predictor) -> None:
    for kind in ("entailment", "truth"):
        body = (await verify(client, kind=kind)).json()

        expected = predictor.predict(kind, image=jpeg_bytes(), **STATEMENT)
        assert isinstance(expected, Label)
        assert body["label"] == expected.label
        assert body["kind"] == kind
        assert {candidate["label"] for candidate in body["candidates"]} == set(NAMES[kind])


async def test_the_first_task_is_the_default(client: httpx.AsyncClient) -> None:
    default, named = (await verify(client)).json(), (await verify(client, kind="entailment")).json()

    assert default["candidates"] == named["candidates"]
    assert default["kind"] == named["kind"] == "entailment"


async def test_an_unknown_choice_names_the_field(client: httpx.AsyncClient) -> None:
    error = check(await verify(client, kind="beauty"), 422, "invalid_value")

    assert "kind" in error["message"]
    assert "entailment" in error["message"]
    check(await client.post("/verify", files={"image": jpeg_bytes()}), 422, "missing_part")


async def test_both_tasks_are_listed_and_documented(client: httpx.AsyncClient) -> None:
    listed = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
    schema: dict[str, Any] = (await client.get("/openapi.json")).json()

    uses = {name: listed[name]["uses"][0] for name in ("entailment", "truth")}
    assert {name: (use["path"], use["chooses"], use["choice"]) for name, use in uses.items()} == {
        "entailment": ("/verify", "kind", "entailment"),
        "truth": ("/verify", "kind", "truth"),
    }
    assert uses["entailment"]["title"] != uses["truth"]["title"]
    assert listed["truth"]["endpoints"] == ["/verify"]
    assert listed["match"]["uses"][0]["choice"] == ""
    form = schema["components"]["schemas"]["VerifyForm"]
    assert form["properties"]["kind"]["enum"] == ["entailment", "truth"]
    assert "kind" not in form["required"]


async def test_items_of_a_batch_choose_too(client: httpx.AsyncClient) -> None:
    import base64

    image = base64.b64encode(jpeg_bytes()).decode()
    items = [{"task": "verify", "inputs": {"image": image} | STATEMENT, "options": {"kind": "truth"}}]

    (result,) = (await client.post("/batch", json={"items": items})).json()["results"]

    assert result["status"] == 200
    assert result["answer"]["label"] in NAMES["truth"]


async def test_classify_names_its_classes(toy: Checkpoint) -> None:
    classifier = toy_with(toy, ["caltech101"], {"caltech101": ("accordion", "airplanes", "anchor")})
    async with talking_to(create_app(Settings(), Engine([classifier]))) as client:
        body = (await client.post("/classify", files={"image": jpeg_bytes()})).json()
        named = await client.post("/classify", files={"image": jpeg_bytes()}, data={"classes": "caltech101"})
        wrong = await client.post("/classify", files={"image": jpeg_bytes()}, data={"classes": "imagenet"})
        schema: dict[str, Any] = (await client.get("/openapi.json")).json()

    assert body["classes"] == "caltech101"
    assert body["label"] == body["candidates"][0]["label"]
    assert named.json()["candidates"] == body["candidates"]
    assert "caltech101" in check(wrong, 422, "invalid_value")["message"]
    assert "classes" in schema["components"]["schemas"]["LabelClassesReply"]["required"]


async def test_the_first_classes_are_the_default(toy: Checkpoint) -> None:
    names = {name: NEW_VOCABULARIES[name] for name in ("imagenet", "caltech101")}
    async with talking_to(create_app(Settings(), Engine([toy_with(toy, list(names), names)]))) as client:
        default = (await client.post("/classify", files={"image": jpeg_bytes()})).json()
        other = await client.post("/classify", files={"image": jpeg_bytes()}, data={"classes": "caltech101"})

    assert default["classes"] == "imagenet"
    assert default["label"] in names["imagenet"]
    assert other.json()["label"] in names["caltech101"]


async def test_match(client: httpx.AsyncClient, predictor: Predictor) -> None:
    asked: dict[str, Any] = {"files": {"image": jpeg_bytes()}, "data": {"text": "A dog."}}
    body = (await client.post("/match", **asked)).json()

    assert list(body) == ["score", "probability", "confidence", "model", "timings_ms", "notes"]
    assert body["probability"] == pytest.approx(1 / (1 + 2.718281828 ** -body["score"]), abs=1e-5)
    assert body["score"] == pytest.approx(predictor.predict("match", image=jpeg_bytes(), text="A dog.").score, abs=1e-4)  # type: ignore[attr-defined]
    explained = (await client.post("/match", files=asked["files"], data=asked["data"] | {"explain": "1"})).json()
    assert len(explained["explanation"]["tokens"]) == 1


def test_tasks_share_an_endpoint_only_by_a_choice() -> None:
    verify = TASKS["truth"]
    same = replace(verify, name="same", uses=(Use("verify", verify.uses[0].forms, chooses="kind", choice="truth"),))
    other = replace(verify, name="other", uses=(Use("verify", verify.uses[0].forms),))
    unlike = replace(same, name="unlike", answer="verdict", uses=(replace(same.uses[0], choice="unlike"),))

    assert list(uses_of([TASKS["entailment"], verify])) == ["verify", "verify/entailment", "verify/truth"]
    with pytest.raises(ConfigError, match="both have a use named 'verify/truth'"):
        uses_of([verify, same])
    assert [use.choice for _, use in uses_of([other, verify]).values()] == ["truth", "truth", "other"]
    with pytest.raises(ConfigError, match="both have a use named 'verify'"):
        uses_of([replace(other, name="another"), other])
    with pytest.raises(ConfigError, match="equal inputs and answer"):
        uses_of([verify, unlike])
    with pytest.raises(ConfigError, match="the field kind needs a value"):
        Use("verify", chooses="kind")


FAMILIES = ("vqa", "gqa", "genome_qa")
ANSWERS_OF_GQA = ("left", "right")


@pytest.fixture(scope="module")
def families(toy: Checkpoint) -> Predictor:
    """Return a network with three families of questions, two of which share their answers."""
    return toy_with(toy, FAMILIES, {"gqa": ANSWERS_OF_GQA})


async def ask(client: httpx.AsyncClient, path: str = "/vqa", **fields: str) -> httpx.Response:
    files = {"video": video_bytes()} if path == "/video-qa" else {"image": jpeg_bytes()}
    return await client.post(path, files=files, data={"question": "What is it?"} | fields)


async def test_family_chooses_the_task_of_a_question(families: Predictor) -> None:
    async with talking_to(create_app(Settings(), Engine([families]))) as client:
        bodies = {family: (await ask(client, family=family)).json() for family in FAMILIES}
        default, video = (await ask(client)).json(), await ask(client, "/video-qa")
        listed = {task["name"]: task for task in (await client.get("/tasks")).json()["tasks"]}
        refused = await ask(client, family="beauty")

    for family, body in bodies.items():
        expected = families.predict(family, image=jpeg_bytes(), question="What is it?")
        assert isinstance(expected, Label)
        assert body["answer"] == expected.label
    assert {each["answer"] for each in bodies["gqa"]["candidates"]} == set(ANSWERS_OF_GQA)
    assert default["candidates"] == bodies["vqa"]["candidates"] != bodies["genome_qa"]["candidates"]
    assert video.status_code == 200
    assert [(use["path"], use["choice"]) for use in listed["vqa"]["uses"]] == [("/vqa", "vqa"), ("/video-qa", "")]
    assert [(use["chooses"], use["choice"]) for use in listed["gqa"]["uses"]] == [("family", "gqa")]
    check(refused, 422, "invalid_value")


async def test_a_checkpoint_with_one_family_has_no_field_for_it(toy_predictor: Predictor) -> None:
    async with talking_to(create_app(Settings(), Engine([toy_predictor]))) as client:
        schema: dict[str, Any] = (await client.get("/openapi.json")).json()
        refused = await ask(client, family="vqa")

    assert "family" not in schema["components"]["schemas"]["VqaForm"]["properties"]
    check(refused, 422, "unknown_field")
    assert list(uses_of([TASKS["vqa"]])) == ["vqa", "video-qa"]
