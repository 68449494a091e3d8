"""Tests with decompression bombs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from tests.robustness.bombs import HARMLESS_IMAGES, HARMLESS_VIDEOS, IMAGE_BOMBS, VIDEO_BOMBS, gzipped
from tests.robustness.conftest import SummaryTable
from tests.robustness.server import Server
from tests.robustness.traffic import Reply, Upload, ask, outcomes, send_all
from tests.robustness.watch import Watch

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
QUICK_SECONDS = 10
GROWTH_MB = 2_500  # two processes with their limit of 1 GB each, and the uploads


async def send_files(
    server: Server, images: Mapping[str, Callable[[], bytes]], videos: Mapping[str, Callable[[], bytes]]
) -> list[Reply]:
    uploads = [ask("/vqa", Upload(make(), note=name)) for name, make in images.items()]
    uploads += [ask("/activity", Upload(make(), note=name)) for name, make in videos.items()]
    return await send_all(server, uploads, clients=4)


async def test_bombs_are_refused(server: Server, summary: SummaryTable) -> None:
    with Watch(server, every=0.02) as watch:
        replies = await send_files(server, IMAGE_BOMBS, VIDEO_BOMBS)

    assert not [(r.ask.note, r.status, r.code) for r in replies if r.status not in {413, 422}]
    assert not [(r.ask.note, r.seconds) for r in replies if r.seconds > QUICK_SECONDS]
    assert watch.peak < watch.before + GROWTH_MB
    summary.note("decompression bombs", f"{len(replies)}: {outcomes(replies)}")
    summary.note("  slowest, seconds", f"{max(reply.seconds for reply in replies):.2f}")
    summary.note("  memory MB", f"{watch.before:.0f} before, peak {watch.peak:.0f}, {server.usage().memory:.0f} after")


async def test_harmless_lookalikes_are_answered(server: Server) -> None:
    replies = await send_files(server, HARMLESS_IMAGES, HARMLESS_VIDEOS)

    assert not [(r.ask.note, r.status, r.code) for r in replies if r.status != 200]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/pos", "application/json"), ("/caption", "multipart/form-data; boundary=b"), ("/video-qa", "text/plain")],
)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_compressed_bodies_are_not_decompressed(
    server: Server, path: str, content_type: str, encoding: str
) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    bodies: list[Any] = [gzipped(2**27), gzip.compress(json.dumps({"text": "A dog runs."}).encode())]
    with Watch(server, every=0.02) as watch:
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            answers = [await client.post(path, content=body, headers=headers) for body in bodies]

    assert {answer.status_code for answer in answers} <= {400, 413, 415, 422}
    assert max(answer.elapsed.total_seconds() for answer in answers) < QUICK_SECONDS
    assert watch.peak < watch.before + 100
