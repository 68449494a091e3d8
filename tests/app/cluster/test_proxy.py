"""Tests of the middleware of Ray's proxies: retries and JSON errors."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from omninet.app.cluster import proxy
from omninet.app.cluster.proxy import ProxyRetry
from omninet.app.http.middleware.request_log import ACCEPTED

pytestmark = pytest.mark.anyio
JSON = (b"content-type", b"application/json")
ID = (b"x-request-id", b"one")
Behaviour = Callable[[Receive, Send], Awaitable[None]]


class Ray:
    """An application with a scripted behaviour for each attempt, which records the bodies that it receives."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)
        self.bodies: list[bytes] = []
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        await self._behaviours.pop(0)(self._noting(receive), send)

    def _noting(self, receive: Receive) -> Receive:
        self.bodies.append(b"")

        async def noting() -> Message:
            message = await receive()
            self.bodies[-1] += message.get("body", b"")
            return message

        return noting


async def read(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def is_lost(receive: Receive, send: Send) -> None:
    await read(receive)


async def is_lost_at_once(receive: Receive, send: Send) -> None:
    """Lose the replica before the body has been read."""


async def hangs_up(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def answers(status: int = 200, content_type: str | None = "application/json", body: bytes = b"{}") -> Behaviour:
    async def answer(receive: Receive, send: Send) -> None:
        await read(receive)
        headers = [ID] * 2 + ([(b"content-type", content_type.encode())] if content_type else [])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


async def breaks_off(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def ask(ray: Ray, *pieces: bytes, path: str = "/caption", headers: Any = ()) -> tuple[int, Any, bytes]:
    """Send a request; return status, headers and body of the response."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages += [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await ProxyRetry(ray)({"type": "http", "path": path, "headers": [ID, *headers]}, receive, send)
    if not sent:
        return 0, [], b""
    return sent[0]["status"], sent[0]["headers"], b"".join(each["body"] for each in sent[1:])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "PAUSE_S", 0.0)
    monkeypatch.setattr(proxy, "MESSAGE_BYTES", 0)


@pytest.mark.parametrize("losses", [[is_lost], [is_lost_at_once, is_lost, is_lost]])
async def test_lost_request_is_repeated_with_its_whole_body(losses: list[Behaviour]) -> None:
    ray = Ray(*losses, answers(body=b'"found"'))
    assert await ask(ray, b"one", b"two") == (200, [ID, JSON], b'"found"')
    assert ray.bodies[-1] == b"onetwo"
    assert len(ray.bodies) == len(losses) + 1


async def test_repeatedly_lost_request_is_a_json_error() -> None:
    status, headers, body = await ask(Ray(*[is_lost] * proxy.MAX_ATTEMPTS))
    assert status == 503
    assert dict(headers)[b"retry-after"] == b"1"
    assert dict(headers)[b"x-request-id"] == b"one"
    assert json.loads(body)["error"]["code"] == "replica_lost"


async def test_a_body_that_is_too_large_to_be_kept_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MAX_KEPT_BYTES", 5)
    ray = Ray(is_lost, answers())
    assert (await ask(ray, b"onetwo"))[0] == 503
    assert ray.bodies == [b"onetwo"]


async def test_a_large_body_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MAX_KEPT_BYTES", 5)
    ray = Ray(answers())
    assert (await ask(ray, b"one", b"two", b"three"))[0] == 200
    assert ray.bodies == [b"onetwothree"]


async def test_nothing_is_sent_after_a_disconnect() -> None:
    ray = Ray(hangs_up, answers())
    assert await ask(ray, b"one") == (0, [], b"")
    assert len(ray.bodies) == 1


async def test_started_response_is_not_repeated() -> None:
    ray = Ray(breaks_off, answers())
    assert (await ask(ray))[2] == b"half"
    assert len(ray.bodies) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not_found"), (408, "deadline_exceeded"), (429, "overloaded"), (503, "overloaded")]
)
async def test_ray_errors_become_json_errors(status: int, code: str) -> None:
    found, headers, body = await ask(Ray(answers(status, None, b"Request dropped due to backpressure")))
    assert found == status
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert dict(headers)[b"x-request-id"] == b"one"
    assert (b"retry-after" in dict(headers)) == (code == "overloaded")


async def test_application_errors_are_unchanged() -> None:
    error = b'{"error":{"code":"overloaded","message":"too many","detail":{}}}'
    assert (await ask(Ray(answers(503, body=error))))[2] == error


async def test_ray_paths_are_unchanged() -> None:
    status, _, body = await ask(Ray(answers(503, None, b"draining")), path="/-/healthz")
    assert (status, body) == (503, b"draining")


async def test_body_of_many_tiny_messages_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MESSAGE_BYTES", 512)
    monkeypatch.setattr(proxy, "MAX_KEPT_BYTES", 2000)
    assert (await ask(Ray(is_lost, answers()), *[b"a"] * 5))[0] == 503
    assert (await ask(Ray(is_lost, answers()), *[b"a"] * 2))[0] == 200


async def test_only_ray_paths_are_unchanged() -> None:
    ray = Ray(answers(503, None, b"draining"))
    _, _, body = await ask(ray, path="/-/other", headers=[(b"x-request-timeout-seconds", b"\xff")])
    assert json.loads(body)["error"]["code"] == "overloaded"
    assert ray.scopes[0]["headers"] == [ID]


@pytest.mark.parametrize(
    ("given", "kept"),
    [([b"abc-1.2"], b"abc-1.2"), ([b"a b\r\n"], None), ([b"x" * 65], None), ([b"a", b"b \xff"], b"a")],
)
async def test_request_has_one_valid_id(given: list[bytes], kept: bytes | None) -> None:
    ray = Ray(answers())
    scope: Scope = {"type": "http", "path": "/", "headers": [(b"x-request-id", each) for each in given]}

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(_: Message) -> None:
        """Discard a message."""

    await ProxyRetry(ray)(scope, receive, send)
    [(_, found)] = ray.scopes[0]["headers"]
    assert found == kept if kept else ACCEPTED.fullmatch(found.decode())


@pytest.mark.parametrize(
    "name",
    [b"x-request-timeout-seconds", b"X_Request_Disconnect_Disabled", b"serve_multiplexed_model_id", b"x-session-id"],
)
async def test_ray_control_headers_are_removed(name: bytes) -> None:
    ray = Ray(answers())
    await ask(ray, headers=[(name.lower(), b"\xff"), (b"accept", b"*/*")])
    assert ray.scopes[0]["headers"] == [ID, (b"accept", b"*/*")]


async def test_proxy_failure_is_an_internal_error() -> None:
    async def fails(receive: Receive, send: Send) -> None:
        raise ValueError("secret")

    status, _, body = await ask(Ray(fails))
    assert (status, json.loads(body)["error"]["code"]) == (500, "internal_error")
    assert b"secret" not in body
