"""Tests of the asynchronous link between processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import numpy as np
import pytest

from omninet.app.engine.engine import Result
from omninet.app.errors import ServiceError, overloaded
from omninet.app.processes.link import Link
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.job import Job
from tests.app.engine.test_replica import REQUESTS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def links() -> AsyncIterator[tuple[Link, Link]]:
    one, other = [await Link.over(end) for end in socket.socketpair()]
    yield one, other
    await one.close()
    await other.close()


async def test_jobs_survive_pickling(links: tuple[Link, Link], toy_predictor: object) -> None:
    jobs: list[Job] = [toy_predictor.prepare(task, **inputs) for task, inputs in REQUESTS]  # type: ignore[attr-defined]
    for job in jobs:
        links[0].send(job)
    for sent in jobs:
        got = await links[1].receive()
        assert (got.task, got.sentences, got.notes) == (sent.task, sent.sentences, sent.notes)
        for row, expected in zip(got.rows, sent.rows, strict=True):
            assert (row.goal, row.shape) == (expected.goal, expected.shape)
            for (name, _, value, _), (_, _, other, _) in zip(row.inputs, expected.inputs, strict=True):
                if name == "vision":
                    assert np.array_equal(value, other)
                else:
                    assert all(np.array_equal(*pair) for pair in zip(value, other, strict=True))


async def test_results_and_errors_survive_pickling(links: tuple[Link, Link]) -> None:
    row = Decoded([1, 2], [-0.1, -0.2], [(1, -0.1)], [Hypothesis((1,), (-0.3,))], encode_ms=3.0, decode_ms=4.0)
    result = Result([row], 3.0, 4.0, 2)
    links[1].send(result)
    links[1].send(ServiceError(413, "too_much", "less would do", {"Retry-After": "1"}, limit=3))
    links[1].send(overloaded("wait"))
    assert await links[0].receive() == result
    first, second = await links[0].receive(), await links[0].receive()
    assert (first.status_code, first.code, first.message) == (413, "too_much", "less would do")
    assert (first.headers, first.details) == ({"Retry-After": "1"}, {"limit": 3})
    assert (second.code, second.details) == ("overloaded", {})


async def test_what_is_larger_than_any_buffer_arrives(links: tuple[Link, Link]) -> None:
    large = np.arange(5_000_000)
    links[0].send(large)
    assert np.array_equal(await asyncio.wait_for(links[1].receive(), 10), large)


async def test_closed_link_is_noticed(links: tuple[Link, Link]) -> None:
    links[0].send("last words")
    await links[0].close()
    assert await links[1].receive() == "last words"
    with pytest.raises(EOFError):
        await links[1].receive()
    links[1].send("not received")
