"""Tests with damaged and disguised files."""

from __future__ import annotations

from itertools import cycle

import pytest

from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.mutations import kind_of, mutated, seeds
from tests.robustness.server import Server
from tests.robustness.traffic import PARTS, Upload, ask, outcomes, percentile, send_all
from tests.robustness.watch import Watch

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
HANG_SECONDS = 10
GROWTH_MB = 1_500  # two concurrent decoders, each with an image or clip within the limits


async def test_the_files_are_good_before_they_are_damaged(server: Server) -> None:
    intact = [(name, Upload(data)) for name, data in seeds().items()]
    asks = [ask(PARTS[kind_of(name)][0], upload) for name, upload in intact]

    replies = await send_all(server, asks)

    assert {reply.status for reply in replies} == {200}, outcomes(replies)


async def test_a_damaged_file_is_answered_or_refused(server: Server, scale: Scale, summary: SummaryTable) -> None:
    paths = zip(*map(cycle, PARTS.values()), strict=False)
    asks = [ask(path, upload) for upload, each in zip(mutated(scale.mutations), paths, strict=False) for path in each]
    with Watch(server) as watch:
        replies = await send_all(server, asks)

    assert not [(r.status, r.code, r.ask.path, r.ask.note) for r in replies if r.status not in {200, 413, 422}]
    assert not [(r.seconds, r.ask.path, r.ask.note) for r in replies if r.seconds > HANG_SECONDS]
    assert watch.peak < watch.before + GROWTH_MB
    slowest = max(reply.seconds for reply in replies)
    summary.note(f"{scale.mutations} mutated files, requests", f"{len(replies)}: {outcomes(replies)}")
    summary.note("  seconds", f"p50 {percentile(replies, 0.5):.2f}, p99 {percentile(replies, 0.99):.2f}, {slowest:.2f}")
    summary.note("  memory MB", f"{watch.before:.0f} before, peak {watch.peak:.0f}, {server.usage().memory:.0f} after")
