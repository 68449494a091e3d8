"""Tests of the service on two Ray nodes: answers equal to a single server's, no avoidable losses."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from benchmarks.cluster.nodes import ROOT, Nodes
from omninet.model.checkpoint import Checkpoint, save
from tests.samples import jpeg_bytes, video_bytes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
# Resources and intervals of the deployments, reduced for two cores and a short test.
HERE: dict[str, dict[str, Any]] = {
    "ingress": {},
    "decoder": {},
    "model": {
        "max_ongoing_requests": 8,
        "max_queued_requests": 8,
        "ray_actor_options": {"num_cpus": 3},
        "autoscaling_config": {"min_replicas": 2, "max_replicas": 2},
    },
}
TEXT = {"text": "A dog runs. " * 3}
FORMS: dict[str, dict[str, Any]] = {
    "/caption": {"files": {"image": jpeg_bytes()}},
    "/vqa": {"files": {"image": jpeg_bytes()}, "data": {"question": "What is on the table?", "explain": "true"}},
    "/pos": {"json": TEXT},
    "/activity": {"files": {"video": video_bytes()}},
    "/video-caption": {"files": {"video": video_bytes()}, "data": {"beams": "2", "n_best": "2"}},
    "/video-qa": {"files": {"video": video_bytes()}, "data": {"question": "What is on the table?"}},
}
WRONG: dict[str, dict[str, Any]] = {"/caption": {"files": {"image": b"none"}}, "/pos": {"json": {}}, "/none": {}}
SAVED = {200}
RECOVERY_S = 60.0  # time-out for Ray to restart lost replicas
PAUSE_S = 0.5  # pause of a client between requests, so that starting replicas get CPU time


def config(checkpoint: Path) -> dict[str, Any]:
    """Return the Ray Serve configuration for CPUs, adapted to this machine."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "ray" / "cpu.yaml").read_text())
    (application,) = found["applications"]
    application["runtime_env"]["env_vars"] = {"OMNINET_CHECKPOINT": str(checkpoint), "OMNINET_MEDIA_PROCESSES": "1"}
    for deployment in application["deployments"]:
        deployment.update(HERE[deployment["name"]], health_check_period_s=1.0)
    return found


@pytest.fixture(scope="module")
def second(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save another version of the toy model; return its folder."""
    folder = tmp_path_factory.mktemp("second") / "toy"
    save(replace(toy, config=replace(toy.config, version="0.0.2")), folder)
    return folder


@pytest.fixture(scope="module")
def nodes(toy_checkpoint: Path) -> Iterator[Nodes]:
    """Run two nodes that serve the toy model."""
    with Nodes() as found:
        found.add()
        found.deploy(config(toy_checkpoint))
        yield found


@asynccontextmanager
async def talking_to(nodes: Nodes, node: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{nodes.nodes[node].port}", timeout=70) as client:
        yield client


def told(answer: httpx.Response) -> Any:
    """Return status and body of a response, without the times that it took."""
    body = answer.json()
    body.pop("timings_ms", None)
    body.get("explanation", {}).pop("milliseconds", None)
    return answer.status_code, body


@pytest.mark.parametrize("node", [0, 1])
async def test_every_endpoint_answers_as_one_server_does(nodes: Nodes, node: int, client: httpx.AsyncClient) -> None:
    async with talking_to(nodes, node) as there:
        for path, form in FORMS.items():
            assert told(await there.post(path, **form)) == told(await client.post(path, **form)), path
        assert told(await there.get("/tasks")) == told(await client.get("/tasks"))


async def test_a_stream_is_the_same(nodes: Nodes, client: httpx.AsyncClient) -> None:
    form = {**FORMS["/caption"], "data": {"stream": "true"}}
    async with talking_to(nodes) as there:
        events = (await there.post("/caption", **form)).text.split("\n\n")
    others = (await client.post("/caption", **form)).text.split("\n\n")
    assert events[:-2] == others[:-2]
    assert events[-2].startswith("event: answer")


async def test_errors_have_the_one_shape(nodes: Nodes, client: httpx.AsyncClient) -> None:
    async with talking_to(nodes) as there:
        for path, form in WRONG.items():
            assert told(await there.post(path, **form)) == told(await client.post(path, **form))
        assert (await there.get("/metrics")).json()["error"]["code"] == "metrics_elsewhere"
        assert (await there.get("/readyz")).status_code == 200


async def test_a_large_upload_arrives(nodes: Nodes, client: httpx.AsyncClient) -> None:
    padded = jpeg_bytes() + bytes(20 * 2**20)  # decoders ignore trailing bytes
    async with talking_to(nodes) as there:
        found = await there.post("/caption", files={"image": padded})
    assert found.status_code == 200
    assert told(found) == told(await client.post("/caption", files={"image": padded}))


async def test_too_much_is_refused(nodes: Nodes) -> None:
    async with talking_to(nodes) as there:
        long = {"text": "A dog runs. " * 400}
        answers = await asyncio.gather(*(there.post("/pos", json=long) for _ in range(60)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert len(refused) < len(answers)
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {(503, "overloaded")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


class Work:
    """Measures the CPU seconds of the model processes, which do not depend on the load of the machine."""

    def __init__(self, nodes: Nodes) -> None:
        replicas = nodes.status()["deployments"]["model"]["replicas"]
        self._models = [psutil.Process(each["pid"]) for each in replicas if each["state"] == "RUNNING"]
        self._before = self._all()

    def seconds(self) -> float:
        return self._all() - self._before

    def _all(self) -> float:
        return sum(times.user + times.system for times in (model.cpu_times() for model in self._models))


async def test_disconnect_cancels_work_on_all_nodes(nodes: Nodes) -> None:
    """After a disconnect most of a long text is not processed: the work is less than that of two complete texts."""
    async with talking_to(nodes) as there:
        long = {"tokens": [["a"] * 60] * 300}  # split into words, else most of the work would come before the model

        async def whole() -> float:
            work = Work(nodes)
            assert (await there.post("/pos", json=long)).status_code == 200
            return work.seconds()

        await whole()  # warm-up
        cost = await whole()
        work = Work(nodes)
        asking = asyncio.create_task(there.post("/pos", json=long))
        while work.seconds() < cost / 4:
            assert not asking.done()
            await asyncio.sleep(0.01)
        asking.cancel()
        await whole()  # on either replica; the other could have completed the rest by then
        assert work.seconds() < 1.6 * cost

        work = Work(nodes)
        answer = await there.post("/pos", json=long, headers={"X-Timeout-Seconds": str(cost / 4)})
        assert answer.json()["error"]["code"] == "deadline_exceeded"
        await whole()
        assert work.seconds() < 1.6 * cost


class Load:
    """Clients that send requests continuously inside the ``with`` block.

    Attributes:
        answers: number of responses by status, and by version of the model or error code.
    """

    def __init__(self, nodes: Nodes, clients: int = 4) -> None:
        self._nodes, self._clients = nodes, clients
        self.answers: Counter[int | str] = Counter()

    async def __aenter__(self) -> Load:
        self._stop = asyncio.Event()
        self._asking = [asyncio.create_task(self._ask(i)) for i in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._asking)

    async def _ask(self, number: int) -> None:
        paths = list(FORMS)
        async with talking_to(self._nodes) as there:
            while not self._stop.is_set():
                number += 1
                path = paths[number % len(paths)]
                answer = await there.post(path, **FORMS[path])
                body = answer.json()
                self.answers[answer.status_code] += 1
                self.answers[body["model"]["version"] if answer.status_code == 200 else body["error"]["code"]] += 1
                await asyncio.sleep(PAUSE_S)


async def test_another_checkpoint_takes_over_without_a_lost_request(nodes: Nodes, second: Path) -> None:
    async with Load(nodes) as load:
        await asyncio.to_thread(nodes.deploy, config(second))
        until = time.monotonic() + RECOVERY_S
        while not load.answers["0.0.2"] and time.monotonic() < until:
            await asyncio.sleep(0.1)
    assert load.answers["0.0.1"]
    assert load.answers["0.0.2"]
    assert {status for status in load.answers if isinstance(status, int)} == SAVED


async def test_requests_on_a_lost_node_are_repeated(nodes: Nodes) -> None:
    assert nodes.replicas(nodes.nodes[1])
    async with Load(nodes) as load:
        await asyncio.sleep(1)
        nodes.nodes[1].kill()
        wanted, until = load.answers[200] + 2 * len(FORMS), time.monotonic() + RECOVERY_S
        while load.answers[200] < wanted and time.monotonic() < until:
            await asyncio.sleep(0.1)
    assert load.answers[200] >= wanted
    assert {status for status in load.answers if isinstance(status, int)} <= {200, 503}
