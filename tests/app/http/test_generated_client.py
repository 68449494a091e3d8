"""Tests with a client that openapi-python-client generates from the schema of a running server."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from omninet.app.http.keys import new_key
from tests.app.http.conftest import Address, Start
from tests.app.http.test_server import url
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.slow
KEY, KEPT = new_key("alice")
ADMIN, ADMIN_KEPT = new_key("root")


class Client:
    """A generated client.

    Attributes:
        operations: operation id -> module of the operation.
        models: the package of models.
        types: the module of ``File``.
    """

    def __init__(self, address: Address, folder: Path) -> None:
        self.root = url(address, "")
        self.schema = httpx.get(f"{self.root}/openapi.json", headers={"Authorization": f"Bearer {KEY}"}).json()
        self.package = folder.name
        generate(self.root, folder)
        self.models, self.types, self._client = (self._import(name) for name in ("models", "types", "client"))
        self.operations = {
            each["operationId"]: self._import(f"api.{each['tags'][0]}.{each['operationId']}")
            for methods in self.schema["paths"].values()
            for each in methods.values()
        }

    def _import(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def file(self, data: bytes) -> Any:
        return self.types.File(payload=io.BytesIO(data), file_name="file")

    def call(self, operation: str, key: str = KEY, **arguments: Any) -> Any:
        """Call an operation and return its detailed response."""
        with self._client.AuthenticatedClient(base_url=self.root, token=key) as client:
            return self.operations[operation].sync_detailed(client=client, **arguments)


def generate(root: str, folder: Path) -> None:
    """Generate a client without warnings; it is written below a folder from which it can be imported."""
    schema, config = folder.with_suffix(".json"), folder.with_suffix(".yaml")
    schema.write_text(httpx.get(f"{root}/openapi.json", headers={"Authorization": f"Bearer {KEY}"}).text)
    # A thumbnail is a file; the generator knows JSON, text and octet streams alone.
    config.write_text("post_hooks: []\ncontent_type_overrides: {image/jpeg: application/octet-stream}\n")
    options = ["--path", schema, "--output-path", folder, "--config", config, "--meta", "none", "--fail-on-warning"]
    done = subprocess.run(
        [Path(sys.executable).with_name("openapi-python-client"), "generate", *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def client(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.syspath_prepend(tmp_path)
    with start(api_keys=str(KEPT), admin_keys=str(ADMIN_KEPT)) as address:
        yield Client(address, tmp_path / f"client_{address[1]}")


ITEMS = [{"task": "pos", "inputs": {"text": "A dog."}}, {"task": "caption", "inputs": {"image": "?"}}]
CALLS: dict[str, Callable[[Client, Any], dict[str, Any]]] = {
    "caption": lambda client, m: {"body": m.CaptionForm(image=client.file(jpeg_bytes()), beams=2, explain=True)},
    "video_caption": lambda client, m: {"body": m.VideoCaptionForm(video=client.file(video_bytes()))},
    "vqa": lambda client, m: {"body": m.VqaForm(image=client.file(jpeg_bytes()), question="What is it?")},
    "video_qa": lambda client, m: {"body": m.VideoQaForm(video=client.file(video_bytes()), question="What is it?")},
    "activity": lambda client, m: {"body": m.ActivityForm(video=client.file(video_bytes())), "x_timeout_seconds": 50},
    "pos": lambda client, m: {"body": m.PosRequest(text="A dog runs.")},
    "batch": lambda client, m: {"body": m.BatchRequest.from_dict({"items": ITEMS})},
    "metrics": lambda client, m: {},
    "tasks": lambda client, m: {},
    "model_card": lambda client, m: {},
    "healthz": lambda client, m: {},
    "readyz": lambda client, m: {},
}


def test_every_call_succeeds(client: Client) -> None:
    assert set(client.operations) == {*CALLS, "model_licence", "reload"}
    replies = SimpleNamespace()
    for operation, arguments in CALLS.items():
        response = client.call(operation, **arguments(client, client.models))
        assert response.status_code == 200, (operation, response.content)
        setattr(replies, operation, response.parsed)
    assert replies.caption.caption
    assert replies.caption.explanation.tokens
    assert replies.video_qa.answer
    assert [token.text for token in replies.pos.sentences[0].tokens] == ["A", "dog", "runs", "."]
    first, second = replies.batch.results
    assert first.answer["sentences"]
    assert second.error.code == client.models.ErrorBodyCode.INVALID_BASE64
    assert replies.tasks.model.name == "toy"
    assert replies.readyz.status == "ok"


def test_errors_have_a_code_of_the_enumeration(client: Client) -> None:
    models, codes = client.models, client.models.ErrorBodyCode
    wrong = {
        "pos": ({"body": models.PosRequest()}, 422, codes.MISSING_INPUT),
        "caption": ({"body": models.CaptionForm(image=client.file(b"no image"))}, 422, codes.NOT_AN_IMAGE),
        "vqa": ({"body": models.VqaForm(image=client.file(b""), question="")}, 422, codes.EMPTY_QUESTION),
    }
    for operation, (arguments, status, code) in wrong.items():
        response = client.call(operation, **arguments)
        assert (response.status_code, response.parsed.error.code) == (status, code), response.content
    response = client.call("model_licence")
    assert (response.status_code, response.parsed.error.code) == (404, codes.NO_LICENCE)
    response = client.call("pos", key="unknown", body=models.PosRequest(text="A dog."))
    assert (response.status_code, response.parsed.error.code) == (401, codes.INVALID_API_KEY)
    response = client.call("reload", key=KEY)
    assert (response.status_code, response.parsed.error.code) == (401, codes.INVALID_ADMIN_KEY)


def test_schemes_are_those_that_the_service_accepts(client: Client) -> None:
    schemes = client.schema["components"]["securitySchemes"]
    assert {name: (each["type"], each["scheme"]) for name, each in schemes.items()} == {
        "key": ("http", "bearer"),
        "password": ("http", "basic"),
    }
    paths = client.schema["paths"]
    assert paths["/pos"]["post"]["security"] == [{"key": []}, {"password": []}]
    assert paths["/admin/reload"]["post"]["security"] == [{"key": []}]
    assert "security" not in paths["/healthz"]["get"]
    for credentials in ({"headers": {"Authorization": f"Bearer {KEY}"}}, {"auth": ("anyone", KEY)}):
        assert httpx.get(f"{client.root}/tasks", **credentials).status_code == 200
