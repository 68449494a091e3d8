"""Clients in a closed loop: each asks, waits for the answer and asks again, over a connection that stays open."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.load.posts import Post, answer_in

PATIENCE_S = 120.0  # longer than any deadline of a server


@dataclass(frozen=True)
class Group:
    """Clients that ask the same kinds of thing, every endpoint as often.

    Attributes:
        posts: endpoint -> its requests.
    """

    clients: int
    posts: Mapping[str, Sequence[Post]]


@dataclass(frozen=True)
class Sample:
    """What became of a request.

    Attributes:
        ended: seconds since the load began.
        seconds: from the first byte sent to the last one received.
        status: of HTTP; 0 where there was no answer.
        code: of the error; empty where it was answered.
        right: whether the answer is that of the bare model.
    """

    endpoint: str
    ended: float
    seconds: float
    status: int
    code: str = ""
    right: bool = True


@dataclass(frozen=True)
class Pressed:
    """All requests of a load, and the seconds of a processor that making them took."""

    samples: list[Sample]
    cpu_seconds: float


def press(port: int, groups: Sequence[Group], seconds: float) -> Pressed:
    """Put load on a server for some time, and wait for the last answers."""
    before = time.process_time()
    samples = asyncio.run(_press(port, groups, seconds))
    return Pressed(samples, time.process_time() - before)


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
    """An answer over HTTP; status 0 is none."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0

    def code(self) -> str:
        """Of an error; of one without a code, its status."""
        try:
            return str(json.loads(self.body)["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return f"status_{self.status}" if self.status else self.body.decode()


class Connection:
    """HTTP/1.1 over one socket, as little of it as the servers here need: it must cost less than what is measured."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a request, which is complete, and read the answer; a new connection follows one that broke."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(request)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            return Reply(0, type(error).__name__.encode())

    def close(self) -> None:
        """Hang up."""
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
