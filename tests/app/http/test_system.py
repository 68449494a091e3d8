"""Tests of the page, the API documentation, health checks and the task list."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from omninet.app.http.routers.common import require_admin
from omninet.app.http.samples import STATIC
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.model.outputs import OUTPUTS
from tests.app import make_samples
from tests.app.conftest import talking_to
from tests.app.http.test_service import until_ready
from tests.samples import picture

pytestmark = pytest.mark.anyio
SAMPLES = sorted(path for path in (STATIC / "samples").iterdir() if path.suffix != ".md")
CREDITS = STATIC / "samples" / "CREDITS.md"
ENDPOINTS = {
    "pos": ["/pos"],
    "activity": ["/activity"],
    "caption": ["/caption", "/video-caption"],
    "vqa": ["/vqa", "/video-qa"],
}


async def test_tasks(client: httpx.AsyncClient) -> None:
    body = (await client.get("/tasks")).json()
    named = {"name": "toy", "version": "0.0.1"}
    assert body["model"] == {
        **named,
        "devices": ["cpu"],
        "precision": "float32",
        "agreement": None,
        "licence": "",
        "summary": "Random weights, for tests.",
    }
    assert {task["name"]: task["endpoints"] for task in body["tasks"]} == ENDPOINTS
    assert all(task["summary"] and task["inputs"] and task["output"] for task in body["tasks"])


async def test_another_precision(toy_checkpoint: Path, anyio_backend: str) -> None:
    settings = Settings(checkpoint=toy_checkpoint, device="cpu", precision="bfloat16")
    async with talking_to(create_app(settings)) as client:
        await until_ready(client)
        model = (await client.get("/tasks")).json()["model"]

    assert model["precision"] == "bfloat16"
    assert model["agreement"]["outputs"] >= model["agreement"]["clear"] > 0
    assert 0 < model["agreement"]["difference"] < 0.05


async def test_model_card(client: httpx.AsyncClient, toy: Checkpoint) -> None:
    response = await client.get("/model-card")
    assert response.text == toy.card
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


async def test_a_checkpoint_without_a_licence(client: httpx.AsyncClient) -> None:
    response = await client.get("/model-licence")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "no_licence"


async def test_card_and_licence_follow_a_reload(toy: Checkpoint, tmp_path: Path) -> None:
    save(toy, tmp_path / "toy")
    app = create_app(Settings(checkpoint=tmp_path / "toy", device="cpu"))
    app.dependency_overrides[require_admin] = lambda: None
    async with talking_to(app) as client:
        await until_ready(client)
        save(replace(toy, card="# Another\n\nMore.\n", licence="Research only\n\nÄ."), tmp_path / "toy")
        reloaded = await client.post("/admin/reload")
        card, licence = await client.get("/model-card"), await client.get("/model-licence")
        model = (await client.get("/tasks")).json()["model"]

    assert reloaded.status_code == 200
    assert card.text == "# Another\n\nMore.\n"
    assert licence.text == "Research only\n\nÄ."
    assert (model["licence"], model["summary"]) == ("Research only", "More.")


async def test_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/docs", "/openapi.json", "/tasks", "/metrics", "/model-card"]
)
async def test_head_has_the_headers_of_get(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code == 200
    changing = {"x-request-id"} | ({"content-length"} if path == "/metrics" else set())
    assert [pair for pair in head.headers.items() if pair[0] not in changing] == [
        pair for pair in get.headers.items() if pair[0] not in changing
    ]


async def test_head_of_a_service_that_is_not_ready(toy_checkpoint: Path) -> None:
    async with talking_to(create_app(Settings(checkpoint=toy_checkpoint, device="cpu"))) as client:
        assert (await client.head("/readyz")).status_code == 503
        assert (await client.head("/healthz")).status_code == 200
        await until_ready(client)
        assert (await client.head("/readyz")).status_code == 200


async def test_head_of_a_task_is_not_allowed(client: httpx.AsyncClient) -> None:
    assert (await client.head("/pos")).status_code == 405


# ---- documentation


async def posts(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the paths of the task endpoints."""
    paths: dict[str, Any] = (await client.get("/openapi.json")).json()["paths"]
    return {path: methods["post"] for path, methods in paths.items() if "post" in methods}


async def test_every_endpoint_documents_one_shape_of_errors(client: httpx.AsyncClient) -> None:
    described = await posts(client)
    assert set(described) == {"/batch"} | {path for paths in ENDPOINTS.values() for path in paths}
    for post in described.values():
        for status, response in post["responses"].items():
            name = response["content"]["application/json"]["schema"]["$ref"].rsplit("/")[-1]
            assert (name == "ErrorReply") == (status != "200")


async def test_json_examples_work_as_given(client: httpx.AsyncClient) -> None:
    examples = (await posts(client))["/pos"]["requestBody"]["content"]["application/json"]["examples"]
    assert len(examples) == 3
    for example in examples.values():
        assert (await client.post("/pos", json=example["value"])).status_code == 200


async def test_shell_examples_work_as_given(client: httpx.AsyncClient) -> None:
    for path, post in (await posts(client)).items():
        line = post["description"].partition("```sh\n")[2]
        assert line.rstrip("\n`").endswith(f"http://127.0.0.1:8000{path}")
        if path in ("/pos", "/batch"):
            (body,) = re.findall(r"--json '(.*)'", line)
            response = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        else:
            ((sample, part),) = re.findall(r"8000(/static\S+) .*-F (\w+)=@-", line, re.DOTALL)
            file = (await client.get(sample)).raise_for_status().content
            data = dict(re.findall(r"-F '(\w+)=(.*?)'", line))
            response = await client.post(path, files={part: ("-", file)}, data=data)
        assert response.status_code == 200, response.text


POS_BODIES: list[tuple[Any, bool]] = [
    ({}, False),
    ({"text": None}, False),
    ({"text": None, "tokens": None}, False),
    ({"text": "A dog.", "tokens": ["A"]}, False),
    ({"text": "A dog.", "other": 1}, False),
    ({"text": 1}, False),
    ({"text": "A dog."}, True),
    ({"text": ["A dog.", "A cat."]}, True),
    ({"text": "A dog.", "tokens": None}, True),
    ({"tokens": ["A", "dog"]}, True),
    ({"tokens": [["A", "dog"], ["A"]], "text": None}, True),
]


@pytest.mark.parametrize(("body", "valid"), POS_BODIES)
async def test_schema_allows_what_the_service_accepts(client: httpx.AsyncClient, body: Any, valid: bool) -> None:
    schema = (await client.get("/openapi.json")).json()["components"]["schemas"]["PosRequest"]
    assert jsonschema_rs.validator_for(schema).is_valid(body) == valid
    assert ((await client.post("/pos", json=body)).status_code == 200) == valid


async def test_docs_are_served_from_here(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs")
    policy = response.headers["content-security-policy"]
    assert "http" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script[^>]*>[^<]|<style|style=|\son\w+=", response.text), "the policy stops inline code"
    references = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    assert "static/swagger-ui/swagger-ui-bundle.js" in references
    for reference in references:
        assert (await client.get(f"/{reference}")).status_code == 200


# ---- the page


async def test_page_loads_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "http" not in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    for reference in re.findall(r'(?:src|href)="([^"#]+)"', response.text):
        assert not reference.startswith("/"), "the page may be served below a prefix"
        assert (await client.get(f"/{reference}")).status_code == 200
    # The addresses in samples.json become links, which load nothing.
    for file in (file for kind in ("html", "js", "css", "svg") for file in STATIC.rglob(f"*.{kind}")):
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", file.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, file
        inline = re.search(r"\son\w+=|<style|style=", file.read_text())
        assert not inline, f"{file}: the policy stops inline code"


def test_element_ids_of_scripts_exist() -> None:
    html, script = ((STATIC / name).read_text() for name in ("index.html", "app.js"))
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= set(re.findall(r'id="([\w-]+)"', html))
    for file in STATIC.rglob("*.js"):
        for name in re.findall(r'from "([^"]+)"', file.read_text()):
            assert (file.parent / name).is_file(), f"{file}: {name}"


def test_every_output_has_a_renderer() -> None:
    assert {file.stem for file in (STATIC / "outputs").iterdir()} == {*OUTPUTS, "plain"}


# ---- its samples


def offered() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((STATIC / "samples.json").read_text())["files"]
    return found


def test_all_samples_are_offered() -> None:
    assert sorted(each["file"] for each in offered()) == [path.name for path in SAMPLES]


def test_samples_are_small() -> None:
    assert all(path.stat().st_size < 80_000 for path in SAMPLES)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_can_be_read(path: Path) -> None:
    if path.suffix == ".webm":
        clip = decode_video(path.read_bytes())
        assert not clip.truncated
        assert clip.duration == pytest.approx(3.0, abs=0.1)
    else:
        assert max(decode_image(path.read_bytes()).pixels.shape) <= make_samples.LONGEST


@pytest.mark.parametrize("sample", offered(), ids=lambda sample: sample["file"])
def test_samples_have_a_free_licence_and_a_credit(sample: dict[str, Any]) -> None:
    credit, text = sample["credit"], CREDITS.read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {sample['file']} "))
    assert re.fullmatch(r"https://creativecommons\.org/licenses/by(-sa)?/2\.0/", credit["licence_url"])
    assert all(str(value) in line for value in credit.values())


def test_credits_name_the_photos_that_samples_are_made_of() -> None:
    numbers = {f"{name}.jpg": number for name, number in make_samples.PHOTOS.items()}
    numbers |= {f"{name}.webm": number for name, (number, _) in make_samples.CLIPS.items()}
    assert numbers == {each["file"]: each["credit"]["photo"] for each in offered()}


def test_samples_are_made_from_photos(tmp_path: Path) -> None:
    (tmp_path / "train2017").mkdir()
    drawn = picture(800, 600)
    for number in (*make_samples.PHOTOS.values(), *(number for number, _ in make_samples.CLIPS.values())):
        drawn.save(tmp_path / "train2017" / f"{number:012}.jpg")

    make_samples.main(tmp_path, tmp_path / "made")

    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [path.name for path in SAMPLES]
    assert decode_image((tmp_path / "made" / "table.jpg").read_bytes()).pixels.shape == (3, 480, 640)
    clip = decode_video((tmp_path / "made" / "tennis.webm").read_bytes())
    assert clip.duration == pytest.approx(3.0, abs=0.1)


@pytest.mark.anyio
async def test_multipart_schema_allows_no_null(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    (header,) = schema["paths"]["/pos"]["post"]["parameters"]
    properties = schema["components"]["schemas"]["CaptionForm"]["properties"]
    beams, image = properties["beams"], properties["image"]

    assert header["schema"] | {"type": "number", "minimum": 0.001} == header["schema"]
    assert beams | {"type": "integer", "minimum": 1} == beams
    assert image | {"type": "string", "format": "binary"} == image
