"""Tests of a service behind a proxy with a prefix, which the proxy removes or keeps."""

from __future__ import annotations

import logging
import re

import httpx
import pytest
from pydantic import ValidationError

from omninet.app.http.keys import new_key
from omninet.app.settings import Settings
from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check

pytestmark = pytest.mark.anyio
KEEPS = pytest.mark.parametrize("before", ["", "/some/omninet"], ids=["removed", "kept"])
PREFIX = "/some/omninet"


@KEEPS
async def test_everything_works(serve: Serve, before: str) -> None:
    async with serve(root_path=PREFIX) as client:
        for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/tasks", "/metrics", "/static/app.js"):
            response = await client.get(before + path)
            assert response.status_code == 200, path
        assert (await client.post(f"{before}/pos", json={"text": "A dog."})).status_code == 200
        assert (await client.head(f"{before}/healthz")).status_code == 200
        error = check(await client.get(f"{before}/nothing"), 404, "not_found")
        metrics = (await client.get(f"{before}/metrics")).text
    assert error["detail"] == {"path": f"{PREFIX}/nothing"}
    assert 'endpoint="/pos"' in metrics
    assert PREFIX not in metrics


@KEEPS
@pytest.mark.parametrize("page", ["/", "/docs"])
async def test_links_of_the_pages_lead_to_files(serve: Serve, before: str, page: str) -> None:
    async with serve(root_path=PREFIX) as client:
        text = (await client.get(before + page)).text
        found = re.findall(r'(?:src|href)="([^"#]+)"', text)
        assert found
        for reference in found:
            seen = str(httpx.URL(f"http://proxy{PREFIX}{page}").join(reference))
            assert seen.startswith(f"http://proxy{PREFIX}/"), "the browser leaves the prefix"
            path = seen.removeprefix(f"http://proxy{PREFIX}")
            assert (await client.get(before + path)).status_code == 200, reference


@KEEPS
async def test_schema_names_the_prefix(serve: Serve, before: str) -> None:
    async with serve(root_path=PREFIX) as client:
        schema = (await client.get(f"{before}/openapi.json")).json()
    assert schema["servers"] == [{"url": PREFIX}]
    assert f"({PREFIX}/)" in schema["info"]["description"]
    assert "/pos" in schema["paths"]


async def test_prefix_alone_leads_to_the_page(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(root_path=PREFIX) as client:
        response = await client.get(PREFIX)
        assert (response.status_code, response.headers["location"]) == (308, f"{PREFIX}/")
        assert (await client.get(PREFIX + "s")).status_code == 404
    logged = [record.__dict__["fields"] for record in caplog.records if record.message == "request"]
    assert [line["status"] for line in logged] == [308, 404]


@KEEPS
async def test_keys_and_rates_hold(serve: Serve, before: str) -> None:
    async with serve(root_path=PREFIX, api_keys=str(new_key("alice")[1]), rate_per_minute=1, rate_burst=2) as client:
        for _ in range(5):
            assert (await client.get(f"{before}/healthz")).status_code == 200
        for code in ("missing_api_key", "missing_api_key", "rate_limited"):
            assert (await client.get(f"{before}/")).json()["error"]["code"] == code


@pytest.mark.parametrize(("given", "used"), [("", ""), ("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b-c.d~e_f", None)])
def test_valid_prefixes(given: str, used: str | None) -> None:
    assert Settings(root_path=given).root_path == (given if used is None else used)


@pytest.mark.parametrize("given", ["omninet", "/a b", "/a?b", "/a#b", "//a", "/a//b", "http://a/b", "/a\nb", "/ü"])
def test_invalid_prefixes(given: str) -> None:
    with pytest.raises(ValidationError, match="must be a path such as /omninet"):
        Settings(root_path=given)
