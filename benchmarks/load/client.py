"""Closed-loop load generator: each client sends a request over its persistent connection, waits, and repeats."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.load.posts import Post, answer_in

PATIENCE_S = 120.0  # time-out of a request; longer than any server deadline


@dataclass(frozen=True)
class Group:
    """Clients with the same mix of requests; endpoints are chosen with equal probability.

    Attributes:
        posts: endpoint -> its requests.
    """

    clients: int
    posts: Mapping[str, Sequence[Post]]


@dataclass(frozen=True)
class Sample:
    """Result of a request.

    Attributes:
        ended: seconds since the start of the load.
        seconds: from the first byte sent to the last byte received.
        status: HTTP status; 0 without a response.
        code: error code; empty for a successful request.
        right: whether the answer equals the bare model's.
    """

    endpoint: str
    ended: float
    seconds: float
    status: int
    code: str = ""
    right: bool = True


@dataclass(frozen=True)
class LoadResult:
    """Results of all requests of a load, and the CPU time of the load generator."""

    samples: list[Sample]
    cpu_seconds: float


def generate_load(port: int, groups: Sequence[Group], seconds: float) -> LoadResult:
    """Put load on a server for ``seconds``, and wait for the last responses."""
    before = time.process_time()
    samples = asyncio.run(_press(port, groups, seconds))
    return LoadResult(samples, time.process_time() - before)


async def _press(port: int, groups: Sequence[Group], seconds: float) -> list[Sample]:
    began = time.perf_counter()
    numbers = count()
    clients = [
        _client(port, group.posts, random.Random(next(numbers)), began, seconds)
        for group in groups
        for _ in range(group.clients)
    ]
    return [sample for samples in await asyncio.gather(*clients) for sample in samples]


async def _client(
    port: int, posts: Mapping[str, Sequence[Post]], chance: random.Random, began: float, seconds: float
) -> list[Sample]:
    samples: list[Sample] = []
    connection = Connection(port)
    while time.perf_counter() - began < seconds:
        post = chance.choice(posts[chance.choice(list(posts))])
        started = time.perf_counter()
        reply = await connection.ask(post.request())
        ended = time.perf_counter()
        samples.append(_sample(post, reply, ended - began, ended - started))
        if reply.retry_after:
            await asyncio.sleep(reply.retry_after)
    connection.close()
    return samples


def _sample(post: Post, reply: Reply, ended: float, seconds: float) -> Sample:
    if reply.status != 200:
        return Sample(post.endpoint, ended, seconds, reply.status, reply.code())
    right = answer_in(json.loads(reply.body)) == post.expected
    return Sample(post.endpoint, ended, seconds, 200, right=right)


@dataclass(frozen=True)
class Reply:
    """HTTP response; status 0 means no response."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0

    def code(self) -> str:
        """Return the error code, or ``status_<status>`` for an error without a code."""
        try:
            return str(json.loads(self.body)["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return f"status_{self.status}" if self.status else self.body.decode()


class Connection:
    """Minimal HTTP/1.1 client over one socket, which must cost much less than what is measured."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a complete request and read the response; reconnect if the connection was broken."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(request)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            return Reply(0, type(error).__name__.encode())

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _ask(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return Reply(int(head[0].split()[1]), body, float(headers.get("retry-after", 0)))
