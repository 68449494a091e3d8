"""Tests that content types, and the names of headers and parameters, are read in any case (RFC 9110, section 8.3.1)."""

from __future__ import annotations

import httpx
import pytest

from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio
PART = b'--XyZ\r\n%s: %s; %s="image"; %s="a.jpg"\r\n%s: IMAGE/JPEG\r\n\r\n%s\r\n--XyZ--\r\n'
USUAL = (b"Content-Disposition", b"form-data", b"name", b"filename", b"Content-Type")


def spelt(case: str) -> tuple[str, bytes]:
    """Return the content type and the body of an upload, in another case but for the boundary and the field's name."""
    change = getattr(str, case)
    names = [change(name.decode()).encode() for name in USUAL]
    return f"{change('multipart/form-data')}; {change('boundary')}=XyZ", PART % (*names, jpeg_bytes())


@pytest.mark.parametrize("case", ["lower", "upper", "title"])
async def test_multipart(serve: Serve, case: str) -> None:
    kind, body = spelt(case)
    async with serve(max_text_bytes=100) as client:
        response = await client.post("/caption", content=body, headers={"Content-Type": kind})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("kind", ["Multipart/Form-Data", "MULTIPART/FORM-DATA"])
async def test_multipart_has_the_limit_of_uploads(serve: Serve, kind: str) -> None:
    async with serve(max_upload_bytes=200, max_text_bytes=100) as client:
        response = await client.post("/caption", content=b"x" * 201, headers={"Content-Type": f"{kind}; boundary=a"})
    assert check(response, 413, "body_too_large")["detail"] == {"limit": 200}


@pytest.mark.parametrize("kind", ["Application/JSON", "APPLICATION/JSON; CHARSET=UTF-8", "application/json ;charset=x"])
async def test_json(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post("/pos", content=b'{"text": "A dog."}', headers={"Content-Type": kind})
    assert response.status_code == 200, response.text
