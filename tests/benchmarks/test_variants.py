"""The bare model, a baseline, and servers as processes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks.load.baseline import reply
from benchmarks.load.ceiling import measure
from benchmarks.load.locked import create_app
from benchmarks.load.posts import Post, answer_in, further_posts, posts
from benchmarks.load.servers import PeakMemory, Variant, serving
from omninet.model.checkpoint import BUNDLED
from omninet.model.predictor import Predictor

# Answers 200 to everything, and leaves a process behind that does not end when asked to.
STUBBORN = """
import subprocess, sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"])
HTTPServer(("127.0.0.1", int(sys.argv[-1])), SimpleHTTPRequestHandler).serve_forever()
"""


ENDPOINTS = ("caption", "vqa", "pos", "activity", "video-caption", "video-qa")


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Post]]:
    """A request of each endpoint."""
    return {endpoint: some[:1] for endpoint, some in posts().items()}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_every_endpoint_and_every_task_is_asked(asked: dict[str, list[Post]]) -> None:
    assert tuple(asked) == ENDPOINTS
    tasks = {post.task for some in (*asked.values(), *further_posts().values()) for post in some}
    bundled = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))["network"]["tasks"]
    # The others answer at an endpoint of these: statements as true or false, other classes, translation back, words.
    assert bundled.keys() - tasks == {"truth", "caltech101", "german_english", "read_word"}


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_the_baseline_answers_as_the_bare_model(
    endpoint: str, asked: dict[str, list[Post]], toy_predictor: Predictor
) -> None:
    post = asked[endpoint][0]
    transport = httpx.ASGITransport(create_app(toy_predictor))
    async with httpx.AsyncClient(transport=transport, base_url="http://baseline") as client:
        answer = await client.post(f"/{endpoint}", content=post.body, headers=post.headers(), timeout=30)
    assert answer.status_code == 200
    expected = answer_in(reply(toy_predictor, post.task, toy_predictor.predict(post.task, **post.inputs)))
    assert expected
    assert answer_in(answer.json()) == expected


def test_the_bare_model_is_measured_at_every_size(asked: dict[str, list[Post]], toy_checkpoint: Path) -> None:
    some = {endpoint: asked[endpoint] for endpoint in ("caption", "pos")}
    expecting, ceilings = measure(toy_checkpoint, some, (1, 3), 0.01)
    assert [post.expected is not None for found in expecting.values() for post in found] == [True, True]
    assert [dataclasses.replace(post, expected=None) for post in expecting["pos"]] == some["pos"]
    for ceiling in ceilings.values():
        assert (*ceiling.rates, *ceiling.continuous) == (1, 3, 3)
        assert ceiling.best >= max(ceiling.rates.values()) > 0


def test_all_processes_of_a_server_are_stopped() -> None:
    with serving(Variant("x", "stubborn", ("-c", STUBBORN), ready="/")) as server, PeakMemory(server) as memory:
        processes = server.processes()
        assert len(processes) == 2
        assert server.cpu_seconds() > 0
    assert memory.mb > 5
    assert server.processes() == []


def test_a_server_that_ends_at_once_is_reported() -> None:
    with pytest.raises(SystemExit, match="not ready"), serving(Variant("x", "broken", ("-c", "raise SystemExit(1)"))):
        pass


def test_the_load_generator_does_not_load_the_model() -> None:
    program = "import sys, benchmarks.load.client; print('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
