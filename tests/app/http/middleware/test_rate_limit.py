"""Tests of the rate limit middleware."""

from __future__ import annotations

import time

import pytest

from omninet.app.http.keys import new_key
from tests.app.conftest import Serve
from tests.app.http.middleware.test_api_keys import bearer
from tests.app.http.test_error_responses import check

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}


async def test_too_many_requests_of_one_address(serve: Serve) -> None:
    async with serve(rate_per_minute=0.5, rate_burst=2) as client:
        started = time.monotonic()
        for _ in range(2):
            assert (await client.post("/pos", json=TEXT)).status_code == 200
        response = await client.post("/pos", json=TEXT, headers={"X-Forwarded-For": "10.1.2.3"})
        spent = time.monotonic() - started
        error = check(response, 429, "rate_limited")
        assert 120 - spent <= int(response.headers["retry-after"]) == error["detail"]["seconds"] <= 120
        for path in ("/healthz", "/readyz", "/static/app.js"):
            assert (await client.get(path)).status_code == 200


async def test_every_key_has_its_own_rate(serve: Serve) -> None:
    (key, kept), (other, other_kept) = new_key("alice"), new_key("bob")
    async with serve(api_keys=f"{kept} {other_kept}", rate_per_minute=1, rate_burst=1) as client:
        for good in (key, other):
            assert (await client.post("/pos", json=TEXT, headers=bearer(good))).status_code == 200
            check(await client.post("/pos", json=TEXT, headers=bearer(good)), 429, "rate_limited")


async def test_failed_attempts_are_charged_to_the_address_and_not_to_keys(serve: Serve) -> None:
    key, kept = new_key("alice")
    async with serve(api_keys=str(kept), rate_per_minute=1, rate_burst=2) as client:
        check(await client.get("/static/app.js"), 401, "missing_api_key")
        check(await client.post("/pos", json=TEXT, headers=bearer("wrong")), 401, "invalid_api_key")
        check(await client.post("/pos", json=TEXT, headers=bearer("guess")), 429, "rate_limited")
        assert (await client.post("/pos", json=TEXT, headers=bearer(key))).status_code == 200
