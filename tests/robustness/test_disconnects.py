"""Tests of clients that disconnect."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time

import httpx
import pytest

from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.mix import one_of_each
from tests.robustness.mutations import SAMPLES
from tests.robustness.server import Server, Usage
from tests.robustness.traffic import MEDIA_PATHS, Ask, Upload, ask, send_all

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
AT_ONCE = 16
LONGEST_SECONDS = 0.5
GROWTH_MB = 60
MOST_THREADS = 40  # idle worker threads, whose number grows with the number of concurrent requests
RESET = struct.pack("ii", 1, 0)  # value of SO_LINGER that makes close() reset the connection
TEXT = "The quick brown fox didn't jump over the lazy dog. " * 20


async def test_disconnects_leave_no_resources_behind(server: Server, scale: Scale, summary: SummaryTable) -> None:
    await _leave(server, 8 * AT_ONCE)  # warm-up: memory grows until the largest batches of every task were there
    before = await _at_rest(server)
    metrics_before = server.metrics()

    await _leave(server, scale.disconnects)
    after = await _at_rest(server, before)

    assert after.processes == before.processes
    assert after.threads <= before.threads + MOST_THREADS
    assert after.descriptors <= before.descriptors
    assert after.connections <= before.connections
    assert after.memory < before.memory + GROWTH_MB
    assert {reply.status for reply in await send_all(server, one_of_each())} == {200}
    abandoned = server.metrics()["omninet_abandoned_rows_total"] - metrics_before["omninet_abandoned_rows_total"]
    summary.note(f"{scale.disconnects} disconnects", f"{abandoned:.0f} rows taken out of the model")
    for name in ("memory", "threads", "descriptors", "connections"):
        summary.note(f"  {name}", f"{getattr(before, name):.0f} before, {getattr(after, name):.0f} after")


async def _leave(server: Server, count: int) -> None:
    """Run ``count`` clients that disconnect, a few at a time."""
    generator, turn = random.Random(0), asyncio.Semaphore(AT_ONCE)
    messages = _messages(server)

    async def go() -> None:
        async with turn:
            await asyncio.to_thread(_go_away, server, generator.choice(messages), random.Random(generator.random()))

    await asyncio.gather(*[go() for _ in range(count)])


def _go_away(server: Server, message: bytes, generator: random.Random) -> None:
    """Send a request or a part of it and close the connection before or during the response."""
    url = httpx.URL(server.address)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as client:
        is_whole = generator.random() < 0.6
        client.sendall(message if is_whole else message[: generator.randrange(len(message))])
        time.sleep(generator.random() ** 2 * LONGEST_SECONDS)
        if generator.random() < 0.5:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def _messages(server: Server) -> list[bytes]:
    """Return the raw bytes of a request of every kind; those with media have several pieces."""
    asks = [*one_of_each(), Ask("/pos", {"json": {"text": TEXT}})]
    padded = (SAMPLES / "frisbee.jpg").read_bytes() + bytes(2**21)
    asks += [ask(path, Upload(padded)) for path in MEDIA_PATHS[:2]]
    with httpx.Client(base_url=server.address) as client:
        requests = [client.build_request("POST", each.path, **each.arguments) for each in asks]
    return [_on_the_wire(request) for request in requests]


def _on_the_wire(request: httpx.Request) -> bytes:
    body = request.read()
    head = [f"{request.method} {request.url.path} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


async def _at_rest(server: Server, wanted: Usage | None = None) -> Usage:
    """Return the resources of the idle server, after closed connections have been detected."""
    await asyncio.to_thread(server.settle)
    for _ in range(50):
        usage = server.usage()
        if wanted is None or (usage.descriptors <= wanted.descriptors and usage.processes == wanted.processes):
            break
        await asyncio.sleep(0.2)
    return server.usage()
