"""The load generator, against a server that does as it is told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load.client import Group, generate_load
from benchmarks.load.posts import Post

Answer = Callable[[int], tuple[int, bytes, dict[str, str]] | None]
CAPTION = Post("caption", "text/plain", b"a picture", expected="a dog")
RIGHT = json.dumps({"caption": "a dog"}).encode()
OVERLOADED = json.dumps({"error": {"code": "overloaded", "message": "later", "detail": {}}}).encode()


class Server(ThreadingHTTPServer):
    """Server whose responses are a function of the request's number; None closes the connection."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[tuple[str, bytes]] = []
        self.connections: set[int] = set()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            number = len(self.server.asked)
            self.server.asked.append((self.path, body))
            self.server.connections.add(self.client_address[1])
        answer = self.server.answer(number)
        if answer is None:
            self.close_connection = True
            return
        status, content, headers = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(answer: Answer) -> Iterator[Server]:
    with Server(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def pressed(server: Server, clients: int = 1, seconds: float = 0.1) -> Counter[str]:
    samples = generate_load(server.server_port, [Group(clients, {"caption": [CAPTION]})], seconds).samples
    assert len(samples) == len(server.asked)
    assert all(0 < sample.seconds <= sample.ended for sample in samples)
    return Counter(f"{sample.status} {sample.code}".strip() if sample.right else "wrong" for sample in samples)


def test_clients_reuse_their_connections() -> None:
    with answering(lambda _: (200, RIGHT, {})) as server:
        found = pressed(server, clients=3)
    assert set(found) == {"200"}
    assert found["200"] > 3
    assert set(server.asked) == {("/caption", b"a picture")}
    assert len(server.connections) == 3


def test_an_answer_is_compared_with_the_expected_one() -> None:
    with answering(lambda number: (200, RIGHT if number else b'{"caption": "a cat"}', {})) as server:
        found = pressed(server)
    assert found["wrong"] == 1
    assert found["200"] == sum(found.values()) - 1


def test_a_client_obeys_retry_after() -> None:
    with answering(lambda _: (503, OVERLOADED, {"Retry-After": "0.06"})) as server:
        assert pressed(server, seconds=0.1) == {"503 overloaded": 2}


@pytest.mark.parametrize(("body", "code"), [(b"not JSON", "status_500"), (b'{"detail": "no"}', "status_500")])
def test_an_error_without_a_code_goes_by_its_status(body: bytes, code: str) -> None:
    with answering(lambda _: (500, body, {})) as server:
        assert set(pressed(server)) == {f"500 {code}"}


def test_a_connection_that_breaks_is_an_error_and_replaced() -> None:
    with answering(lambda number: (200, RIGHT, {}) if number else None) as server:
        found = pressed(server)
    assert found["0 IncompleteReadError"] == 1
    assert found["200"] > 0
    assert len(server.connections) == 2


def test_a_connection_that_the_server_closes_is_replaced() -> None:
    with answering(lambda _: (200, RIGHT, {"Connection": "close"})) as server:
        assert set(pressed(server)) == {"200"}
    assert len(server.connections) == len(server.asked)
