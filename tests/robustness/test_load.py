"""Load test by many clients with valid and invalid requests."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Sequence

import pytest

from omninet.app.settings import Settings
from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.mix import Mix
from tests.robustness.server import Server
from tests.robustness.traffic import Ask, Reply, connect, outcomes, percentile, send
from tests.robustness.watch import Watch

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
GRACE_SECONDS = 10  # tolerance for deadlines: the client shares the CPU with the server
FLAT = 0.05
LONG_MINUTES = 2  # shorter runs cannot show growth of memory
MOST_LATE = 0.01  # largest share of requests without a short deadline that may exceed their deadline


async def test_many_clients_at_once(server: Server, scale: Scale, summary: SummaryTable) -> None:
    replies, ended = list[Reply](), asyncio.Event()

    async def ask_on(asks: Iterator[Ask]) -> None:
        async with connect(server) as client:
            while not ended.is_set():
                replies.append(reply := await send(client, next(asks)))
                await asyncio.sleep(1 if reply.status == 503 else 0)  # as Retry-After says

    asks = iter(Mix())
    with Watch(server, every=1) as watch:
        clients = [asyncio.create_task(ask_on(asks)) for _ in range(scale.clients)]
        await asyncio.sleep(60 * scale.load_minutes)
        ended.set()
        await asyncio.gather(*clients)
    await asyncio.to_thread(server.settle)

    first, last = thirds(watch.samples)
    _note(summary, replies, scale)
    summary.note("  memory MB", f"{first:.0f} in the first third, {last:.0f} in the last, peak {watch.peak:.0f}")
    assert not [(r.ask.note, r.ask.path, r.status, r.code) for r in replies if not is_as_it_should_be(r)]
    late = [reply for reply in replies if reply.status == 504 and reply.ask.note != "hurried"]
    assert len(late) <= MOST_LATE * len(replies)
    deadline = Settings.model_fields["deadline_seconds"].default
    assert max(reply.seconds for reply in replies) < deadline + GRACE_SECONDS
    if scale.load_minutes > LONG_MINUTES:
        assert abs(last / first - 1) < FLAT, (first, last)


def is_as_it_should_be(reply: Reply) -> bool:
    """Return whether the reply is an answer or an error that is allowed for the request."""
    if reply.ask.note == "gone" and reply.code.endswith("Timeout"):
        return True
    if reply.ask.note in {"good", "hurried", "gone", "streamed", "index"}:
        return reply.status in {200, 201, 503, 504}
    return reply.status in {200, 400, 404, 413, 415, 422, 503, 504}


def thirds(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the median memory in MB in the first and the last third of the time."""
    ended = samples[-1][0]
    first = [memory for seconds, memory in samples if seconds <= ended / 3]
    last = [memory for seconds, memory in samples if seconds >= ended * 2 / 3]
    return statistics.median(first), statistics.median(last)


def _note(summary: SummaryTable, replies: Sequence[Reply], scale: Scale) -> None:
    summary.note(f"{scale.clients} clients for {scale.load_minutes:g} min", f"{len(replies)}: {outcomes(replies)}")
    answered = [reply for reply in replies if reply.status in {200, 201}]
    rate = len(answered) / (60 * scale.load_minutes)
    times = ", ".join(f"p{100 * share:.0f} {percentile(answered, share):.1f}" for share in (0.5, 0.9, 0.99))
    summary.note("  answered, seconds", f"{len(answered)} ({rate:.1f}/s): {times}, {percentile(answered, 1):.1f}")
