"""A service and the bare model in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load.alone import WARM, compare
from benchmarks.load.posts import posts
from tests.benchmarks.test_client import RIGHT, answering


def test_each_request_goes_to_both(toy_checkpoint: Path) -> None:
    asked = posts()["pos"]
    with answering(lambda _: (200, RIGHT, {})) as server:
        found = compare(toy_checkpoint, "a", server.server_port, asked, 0.05)
    assert len(server.asked) > WARM
    assert [body for _, body in server.asked[:2]] == [post.body for post in asked[:2]]
    assert (found.variant, found.endpoint) == ("a", "pos")
    assert found.share == pytest.approx(found.added / found.model)
    assert min(found.model, found.served) > 0
