"""Tests of error responses: status, code and JSON structure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.app.conftest import Serve, Watched
from tests.samples import audio_bytes, jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}
MULTIPART = "multipart/form-data"
IMAGE = ("a.jpg", jpeg_bytes())
VIDEO = ("a.mp4", video_bytes())


def check(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "detail"}
    assert error["code"] == code
    assert error["message"]
    assert "Traceback" not in response.text
    return error


FORMS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("no part", "/caption", {"files": {"file": IMAGE}}, 422, "missing_part"),
    ("unknown part", "/caption", {"files": {"image": IMAGE}, "data": {"language": "de"}}, 422, "unknown_field"),
    ("no beam", "/caption", {"files": {"image": IMAGE}, "data": {"beams": "0"}}, 422, "invalid_value"),
    ("beams in words", "/caption", {"files": {"image": IMAGE}, "data": {"beams": "four"}}, 422, "invalid_value"),
    ("no temperature", "/caption", {"files": {"image": IMAGE}, "data": {"temperature": "nan"}}, 422, "invalid_value"),
    (
        "two ways",
        "/caption",
        {"files": {"image": IMAGE}, "data": {"temperature": "1", "beams": "2"}},
        422,
        "bad_option",
    ),
    (
        "too many texts",
        "/caption",
        {"files": {"image": IMAGE}, "data": {"n_best": "3", "beams": "2"}},
        422,
        "bad_option",
    ),
    ("too long", "/video-caption", {"files": {"video": VIDEO}, "data": {"max_length": "9999"}}, 422, "bad_option"),
    ("too many beams", "/video-caption", {"files": {"video": IMAGE}, "data": {"beams": "17"}}, 422, "invalid_value"),
    (
        "beams for an answer",
        "/vqa",
        {"files": {"image": IMAGE}, "data": {"question": "a?", "beams": "4"}},
        422,
        "unknown_field",
    ),
    ("repeated part", "/caption", {"files": [("image", IMAGE), ("image", IMAGE)]}, 422, "repeated_part"),
    ("text for a file", "/caption", {"files": {"image": (None, "dog.jpg")}}, 422, "not_a_file"),
    ("empty image", "/caption", {"files": {"image": ("a.jpg", b"")}}, 422, "empty_file"),
    ("not an image", "/caption", {"files": {"image": ("a.jpg", b"hello")}}, 422, "not_an_image"),
    ("video for an image", "/caption", {"files": {"image": video_bytes()}}, 422, "not_an_image"),
    ("no question", "/vqa", {"files": {"image": IMAGE}}, 422, "missing_part"),
    ("empty question", "/vqa", {"files": {"image": IMAGE}, "data": {"question": ""}}, 422, "empty_question"),
    ("blank question", "/vqa", {"files": {"image": IMAGE}, "data": {"question": " "}}, 422, "empty_question"),
    ("long question", "/vqa", {"files": {"image": IMAGE}, "data": {"question": "why " * 90}}, 413, "question_too_long"),
    ("empty video", "/activity", {"files": {"video": ("a.mp4", b"")}}, 422, "empty_file"),
    ("image for a video", "/activity", {"files": {"video": IMAGE}}, 422, "not_a_video"),
    ("sound for a video", "/video-caption", {"files": {"video": audio_bytes()}}, 422, "no_video_stream"),
    (
        "blank question",
        "/video-qa",
        {"files": {"video": VIDEO}, "data": {"question": " "}},
        422,
        "empty_question",
    ),
    ("form without file", "/caption", {"data": {"image": "a"}}, 415, "unsupported_media_type"),
    ("JSON for a form", "/vqa", {"json": {"question": "why"}}, 415, "unsupported_media_type"),
    ("nothing", "/activity", {}, 415, "unsupported_media_type"),
    (
        "no boundary",
        "/caption",
        {"content": b"x", "headers": {"Content-Type": MULTIPART}},
        400,
        "bad_request",
    ),
]


@pytest.mark.parametrize(("path", "request_", "status", "code"), [row[1:] for row in FORMS], ids=[r[0] for r in FORMS])
async def test_forms(client: httpx.AsyncClient, path: str, request_: dict[str, Any], status: int, code: str) -> None:
    check(await client.post(path, **request_), status, code)


@pytest.mark.parametrize(("name", "value"), [("beams", "0"), ("beams", "four"), ("temperature", "0"), ("seed", "1.5")])
async def test_an_option_that_is_wrong_is_named_once(client: httpx.AsyncClient, name: str, value: str) -> None:
    response = await client.post("/caption", files={"image": IMAGE}, data={name: value})

    error = check(response, 422, "invalid_value")
    assert [problem["field"] for problem in error["detail"]["problems"]] == [name]
    assert error["message"].startswith(f"'{name}' Input should be")


BODIES: list[tuple[bytes, int, str]] = [
    (b"{}", 422, "missing_input"),
    (b'{"text": "a", "tokens": ["a"]}', 422, "unexpected_input"),
    (b'{"txt": "a"}', 422, "unknown_field"),
    (b'{"text": 3}', 422, "invalid_value"),
    (b'{"text": ["a", null]}', 422, "invalid_value"),
    (b'{"text": "\\ud800"}', 422, "invalid_value"),
    (b'{"\\ud800": "a"}', 422, "invalid_value"),
    (b'{"tokens": "a b"}', 422, "invalid_value"),
    (b'{"tokens": [["a"], "b"]}', 422, "invalid_value"),
    (b'{"tokens": []}', 422, "empty_text"),
    (b'{"tokens": [["a"], []]}', 422, "empty_text"),
    (b'{"tokens": ["a", ""]}', 422, "empty_text"),
    (b'{"text": " "}', 422, "empty_text"),
    (b'{"text": []}', 422, "empty_text"),
    (b'{"text": "%s"}' % (b"a. " * 9000), 413, "text_too_long"),
    (b"[1]", 422, "invalid_value"),
    (b"null", 422, "invalid_value"),
    (b"", 422, "missing_body"),
    (b'{"text": ', 400, "invalid_json"),
    (b'{"text": "\xff"}', 400, "bad_request"),
    (b'{"text": %s%s}' % (b"[" * 50_000, b"]" * 50_000), 400, "bad_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), BODIES, ids=[row[0][:24].decode("latin-1") for row in BODIES])
async def test_json(client: httpx.AsyncClient, body: bytes, status: int, code: str) -> None:
    check(await client.post("/pos", content=body, headers=JSON), status, code)


async def test_json_of_another_content_type(client: httpx.AsyncClient) -> None:
    check(await client.post("/pos", content=b'{"text": "a"}'), 415, "unsupported_media_type")
    check(await client.post("/pos", data={"text": "a"}), 415, "unsupported_media_type")


async def test_messages_name_what_is_wrong_and_what_would_be_right(client: httpx.AsyncClient) -> None:
    error = check(await client.post("/caption", files={"file": IMAGE}), 422, "missing_part")
    assert [problem["field"] for problem in error["detail"]["problems"]] == ["image", "file"]
    assert "'image' is missing" in error["message"]
    assert "no field 'file'" in error["message"]
    error = check(await client.post("/pos", json={"text": 1}), 422, "invalid_value")
    assert error["message"] == "'text' must be a string or a list of strings"


async def test_no_such_path_and_no_such_method(client: httpx.AsyncClient) -> None:
    check(await client.get("/nothing"), 404, "not_found")
    check(await client.get("/static/nothing.js"), 404, "not_found")
    check(await client.get("/static/..%2fmain.py"), 404, "not_found")
    response = await client.get("/caption")
    check(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/caption", "/pos", "/nothing"])
async def test_a_body_that_is_too_large(serve: Serve, path: str, chunked: bool) -> None:
    opening = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = [opening, *[b"x" * 1000] * 20]

    async def pieces() -> AsyncIterator[bytes]:
        for piece in body:
            yield piece

    kind = f"{MULTIPART}; boundary=b" if path == "/caption" else "application/json"
    async with serve(max_upload_bytes=9_000, max_text_bytes=3_000) as client:
        content = pieces() if chunked else b"".join(body)
        response = await client.post(path, content=content, headers={"Content-Type": kind})
    if chunked and path == "/nothing":
        check(response, 404, "not_found")  # answered before the body is looked at
        return
    error = check(response, 413, "body_too_large")
    assert error["detail"] == {"limit": 9_000 if path == "/caption" else 3_000}


async def test_internal_error_reveals_nothing(serve: Serve, toy_predictor: Any) -> None:
    class Broken(Watched):
        def prepare(self, *_: object, **__: object) -> None:
            raise RuntimeError("secret")

    async with serve(Broken(toy_predictor)) as client:
        response = await client.post("/pos", json={"text": "A dog."})
    check(response, 500, "internal_error")
    assert "secret" not in response.text
