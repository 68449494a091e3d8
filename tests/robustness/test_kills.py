"""Tests of killed processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import psutil
import pytest

from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.mix import one_of_each
from tests.robustness.server import Server, serving
from tests.robustness.traffic import Ask, Reply, connect, outcomes, send, send_all

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
EVERY_SECONDS = 0.3
CLIENTS = 8


async def test_killed_decoders_lose_no_request(server: Server, scale: Scale, summary: SummaryTable) -> None:
    expected = {_name(reply): reply for reply in await send_all(server, one_of_each(), clients=1)}
    ended, replies = asyncio.Event(), list[Reply]()

    async def ask_on(asks: Iterator[Ask]) -> None:
        async with connect(server) as client:
            while not ended.is_set():
                replies.append(await send(client, next(asks)))

    clients = [asyncio.create_task(ask_on(cycle(one_of_each()))) for _ in range(CLIENTS)]
    killed = await _kill_on(server, scale.kill_seconds)
    ended.set()
    await asyncio.gather(*clients)

    assert killed > scale.kill_seconds
    assert {reply.status for reply in replies} == {200}, outcomes(replies)
    assert not [reply.answer for reply in replies if not is_same(reply, expected[_name(reply)])]
    summary.note(
        "killed decoders", f"{killed} killed, {len(replies)} requests: {outcomes(replies)}, all as undisturbed"
    )


def _name(reply: Reply) -> str:
    """Return what tells requests to one path apart."""
    return reply.ask.note or reply.ask.path


async def _kill_on(server: Server, seconds: float) -> int:
    """Kill media processes for a while; return how many."""
    generator, killed = random.Random(0), 0
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        if processes := server.media_processes():
            with suppress(psutil.NoSuchProcess):
                generator.choice(processes).kill()
                killed += 1
        await asyncio.sleep(EVERY_SECONDS)
    return killed


def is_same(one: Reply, other: Reply) -> bool:
    """Return whether two answers are equal, with a tolerance for probabilities, which depend slightly on the batch."""
    return _rounded(one.answer) == _rounded(other.answer)


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return pytest.approx(value, abs=2e-3) if isinstance(value, float) else value


async def test_a_killed_model_is_replaced(server: Server, summary: SummaryTable) -> None:
    """Requests in progress fail with an error; requests until the restart get 503 with Retry-After."""
    replies, killed = list[Reply](), asyncio.Event()

    def seen() -> set[int]:
        return {reply.status for reply in replies}

    async def ask_on(asks: Iterator[Ask]) -> None:
        async with connect(server) as client:
            while not killed.is_set() or 503 not in seen():
                replies.append(await send(client, next(asks)))

    clients = [asyncio.create_task(ask_on(cycle(one_of_each()))) for _ in range(CLIENTS)]
    async with asyncio.timeout(300):
        while 200 not in seen():
            await asyncio.sleep(0.05)
        server.model_process().kill()
        killed.set()
        await asyncio.gather(*clients)
    assert {reply.status for reply in replies} == {200, 500, 503}, outcomes(replies)
    async with connect(server) as client, asyncio.timeout(60):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)

    after = await send_all(server, one_of_each(), clients=2)
    assert {reply.status for reply in after} == {200}, outcomes(after)
    summary.note("a killed model", f"{len(replies)} requests: {outcomes(replies)}; then all answered")


async def test_a_killed_fork_server_is_replaced(server: Server) -> None:
    (fork_server,) = {process.ppid() for process in server.media_processes()}
    psutil.Process(fork_server).kill()

    replies = await send_all(server, one_of_each(), clients=2)

    assert {reply.status for reply in replies} == {200}, outcomes(replies)


def test_nothing_outlives_a_server_that_is_killed(toy_checkpoint: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "log", checkpoint=toy_checkpoint) as server:
        tree = server.tree()
        assert len(server.media_processes()) == 2
        server.media_processes()[0].suspend()
        server.process.kill()
        _, alive = psutil.wait_procs(tree[1:], 10)

        assert not alive
