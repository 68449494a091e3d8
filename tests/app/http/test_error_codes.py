"""Tests of the enumeration of error codes, against the code that raises errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from omninet.app.http.application import Application
from omninet.app.http.error_codes import FIXED, error_codes
from omninet.app.http.error_responses import VALIDATION_MESSAGES
from omninet.app.http.routers.tasks import TaskRoutes
from omninet.model.checkpoint import Checkpoint

ROOT = Path(__file__).parents[3]
PLACES = {"ServiceError": 1, "InputError": 0}  # class of an error -> position of its code
NEVER_SENT = {"client_closed_request"}
BY_FRAMEWORK = {"bad_request", "method_not_allowed", "not_found"}
BY_VALIDATION = {"invalid_value", "missing_body", "not_a_file"} | {code for code, _ in VALIDATION_MESSAGES.values()}


def raised() -> Iterator[str]:
    """Yield the codes of all errors that the service and the model make."""
    for file in (file for package in ("app", "model") for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PLACES:
                code = node.args[PLACES[node.func.id]] if len(node.args) > PLACES[node.func.id] else None
                if isinstance(code, ast.Constant):
                    yield str(code.value)


def test_all_codes_are_listed_and_all_listed_codes_exist() -> None:
    assert {*raised(), *BY_FRAMEWORK, *BY_VALIDATION} - NEVER_SENT == FIXED


def test_codes_follow_from_the_inputs(toy: Checkpoint) -> None:
    tasks = TaskRoutes()
    tasks.serve(toy.config.network)
    found = error_codes(tasks.endpoints)
    assert found == sorted(set(found))
    assert {"empty_question", "question_too_long", "empty_tokens", "not_an_image"} <= set(found)


@pytest.mark.anyio
async def test_schema_has_the_codes(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    assert set(schema["components"]["schemas"]["ErrorBody"]["properties"]["code"]["enum"]) > FIXED


def test_codes_are_open_with_modules_of_the_user(monkeypatch: pytest.MonkeyPatch, toy: Checkpoint) -> None:
    monkeypatch.setenv("OMNINET_EXTENSIONS", "wear")
    tasks = TaskRoutes()
    tasks.serve(toy.config.network)
    app = Application(tasks)
    app.include_router(tasks.router)
    assert "enum" not in app.openapi()["components"]["schemas"]["ErrorBody"]["properties"]["code"]
