"""Tests of CORS."""

from __future__ import annotations

import httpx
import pytest

from omninet.app.http.keys import new_key
from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check

pytestmark = pytest.mark.anyio
ORIGIN = "https://example.org"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, x-timeout-seconds, x-request-id",
}
TEXT = {"text": "A dog runs."}


def allowed(response: httpx.Response) -> str | None:
    origin: str | None = response.headers.get("access-control-allow-origin")
    return origin


async def test_cors_is_off_by_default(client: httpx.AsyncClient) -> None:
    check(await client.options("/pos", headers=PREFLIGHT), 405, "method_not_allowed")
    assert allowed(await client.post("/pos", json=TEXT, headers={"Origin": ORIGIN})) is None


async def test_allowed_origins_may_send_requests(serve: Serve) -> None:
    key, kept = new_key("alice")
    async with serve(cors_origins=f"http://localhost:3000, {ORIGIN}", api_keys=str(kept)) as client:
        preflight = await client.options("/pos", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert allowed(preflight) == ORIGIN
        assert preflight.headers["x-request-id"]
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {key}"}
        response = await client.post("/pos", json=TEXT, headers=headers)
        assert response.status_code == 200
        assert allowed(response) == ORIGIN
        assert "x-request-id" in response.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-credentials" not in response.headers
        refused = await client.post("/pos", json=TEXT, headers={"Origin": ORIGIN})
        check(refused, 401, "missing_api_key")
        assert allowed(refused) == ORIGIN


async def test_other_origins_may_not_send_requests(serve: Serve) -> None:
    async with serve(cors_origins=ORIGIN) as client:
        for changed in ({"Origin": "https://example.com"}, {"Access-Control-Request-Method": "PUT"}):
            response = await client.options("/pos", headers={**PREFLIGHT, **changed})
            check(response, 400, "cors_refused")
            assert response.headers["x-frame-options"] == "DENY"
        assert allowed(await client.post("/pos", json=TEXT, headers={"Origin": "https://example.com"})) is None
        assert 'code="cors_refused",endpoint="other",status="400"} 2.0' in (await client.get("/metrics")).text


async def test_all_origins(serve: Serve) -> None:
    async with serve(cors_origins="*") as client:
        assert allowed(await client.options("/pos", headers=PREFLIGHT)) == "*"
        assert allowed(await client.post("/pos", json=TEXT, headers={"Origin": ORIGIN})) == "*"
