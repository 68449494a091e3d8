"""Tests of authentication by API key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from omninet.app.http.error_responses import add_error_handlers
from omninet.app.http.keys import Keyring, new_key
from omninet.app.http.routers.common import require_admin
from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check

pytestmark = pytest.mark.anyio
KEY, KEPT = new_key("alice")
OTHER, OTHER_KEPT = new_key("bob")
ADMIN, ADMIN_KEPT = new_key("root")
TEXT = {"text": "A dog runs."}
PATHS = ["/", "/docs", "/openapi.json", "/metrics", "/tasks", "/static/app.js", "/nothing", "/healthz/", "/pos"]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def guarded(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(api_keys=f"{KEPT},{OTHER_KEPT}", admin_keys=str(ADMIN_KEPT)) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_but_health_without_a_key(guarded: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        response = await guarded.request(method, path)
        check(response, 401, "missing_api_key")
        assert response.headers["www-authenticate"].startswith("Basic ")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-request-id"]


async def test_health_needs_no_key(guarded: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await guarded.get(path)).status_code == 200
        assert (await guarded.get(path, headers=bearer("wrong"))).status_code == 200


@pytest.mark.parametrize("key", [KEY, OTHER, ADMIN], ids=["alice", "bob", "root"])
async def test_keys_are_accepted_as_bearer_and_basic(guarded: httpx.AsyncClient, key: str) -> None:
    assert (await guarded.post("/pos", json=TEXT, headers=bearer(key))).status_code == 200
    assert (await guarded.post("/pos", json=TEXT, auth=("anybody", key))).status_code == 200
    for path in ("/", "/metrics", "/static/app.js"):
        assert (await guarded.get(path, auth=("", key))).status_code == 200


@pytest.mark.parametrize("key", [KEY[:-1], KEPT.digest, "wrong", "\xe9"], ids=["cut", "digest", "wrong", "not ascii"])
async def test_unknown_key_is_rejected(guarded: httpx.AsyncClient, key: str) -> None:
    response = await guarded.post("/pos", json=TEXT, headers={b"Authorization": f"Bearer {key}".encode("latin-1")})
    check(response, 401, "invalid_api_key")
    assert response.headers["www-authenticate"] == 'Bearer realm="OmniNet", error="invalid_token"'
    response = await guarded.post("/pos", json=TEXT, auth=("alice", key))
    check(response, 401, "invalid_api_key")
    assert response.headers["www-authenticate"].startswith("Basic ")


async def test_refusals_are_counted(guarded: httpx.AsyncClient) -> None:
    await guarded.post("/pos", json=TEXT)
    figures = (await guarded.get("/metrics", headers=bearer(KEY))).text
    assert 'omninet_requests_total{code="missing_api_key",endpoint="other",status="401"} 1.0' in figures


async def test_without_keys_the_header_is_ignored(serve: Serve) -> None:
    async with serve(admin_keys=str(ADMIN_KEPT)) as client:
        for key in ("wrong", ADMIN):
            assert (await client.post("/pos", json=TEXT, headers=bearer(key))).status_code == 200


async def test_documentation_declares_the_key(guarded: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    described = (await guarded.get("/openapi.json", headers=bearer(KEY))).json()
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in described["paths"].items():
        for method in methods.values():
            assert ("security" in method) == (path not in ("/healthz", "/readyz"))
            assert ("401" in method["responses"]) == ("429" in method["responses"]) == ("security" in method)
    assert "/admin/reload" in described["paths"]
    unguarded = (await client.get("/openapi.json")).json()
    assert "securitySchemes" not in unguarded["components"]
    assert "/admin/reload" not in unguarded["paths"]


# ---- administration


def administered(keys: Keyring) -> httpx.AsyncClient:
    app = FastAPI()
    app.state.keys = keys
    add_error_handlers(app)

    @app.post("/admin")
    def administer(_: Annotated[None, Depends(require_admin)]) -> str:
        return "done"

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def test_administration_needs_an_admin_key_as_bearer() -> None:
    async with administered(Keyring([KEPT], [ADMIN_KEPT])) as client:
        assert (await client.post("/admin", headers=bearer(ADMIN))).json() == "done"
        refused: list[tuple[dict[str, Any], str]] = [
            ({}, "missing_admin_key"),
            ({"auth": ("root", ADMIN)}, "missing_admin_key"),
            ({"headers": bearer("wrong")}, "invalid_admin_key"),
            ({"headers": bearer(KEY)}, "invalid_admin_key"),
        ]
        for options, code in refused:
            response = await client.post("/admin", **options)
            check(response, 401, code)
            assert response.headers["www-authenticate"].startswith("Bearer ")


async def test_without_admin_keys_administration_is_disabled() -> None:
    async with administered(Keyring([KEPT])) as client:
        check(await client.post("/admin", headers=bearer(KEY)), 403, "admin_disabled")
