"""Tests of reloads under load: no request is lost, each is answered by one model, the old model is freed."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import itertools
import multiprocessing
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI

from omninet.app.backend import Query, Upload
from omninet.app.http.routers.common import require_admin
from omninet.app.local.process_client import ModelProcess
from omninet.app.main import create_app
from omninet.app.media.sandbox import Sandbox
from omninet.app.settings import Settings
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.errors import InputError
from omninet.model.network.omninet import OmniNet
from omninet.model.processor import Processor
from omninet.model.tasks import TEXT, Task
from tests.app.conftest import Serve, talking_to
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import until_ready
from tests.app.telemetry.test_metrics import figures, of
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
PICTURE, CLIP = jpeg_bytes(), video_bytes()
POSTS: dict[str, dict[str, Any]] = {
    "/pos": {"json": {"text": "A dog runs through the grass."}},
    "/caption": {"files": {"image": PICTURE}, "data": {"beams": 2}},
    "/vqa": {"files": {"image": PICTURE}, "data": {"question": "what is it ?"}},
    "/activity": {"files": {"video": CLIP}},
    "/video-caption": {"files": {"video": CLIP}},
    "/video-qa": {"files": {"video": CLIP}, "data": {"question": "where ?"}},
}


def variant(toy: Checkpoint, version: int, size: int = 64) -> Checkpoint:
    """Return the toy model with other weights and optionally another picture size."""
    network = toy.config.network
    vision = replace(network.peripherals["vision"], size=size)
    network = replace(network, peripherals={**network.peripherals, "vision": vision})
    with torch.random.fork_rng():
        torch.manual_seed(version)
        return replace(
            toy, config=replace(toy.config, version=str(version), network=network), network=OmniNet(network).eval()
        )


def damage(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")


async def ask(client: httpx.AsyncClient, path: str) -> tuple[str, dict[str, Any]]:
    """Send a request; return the model's version and the answer."""
    response = await client.post(path, **POSTS[path])
    assert response.status_code == 200, response.text
    body = response.json()
    del body["timings_ms"]
    return body.pop("model")["version"], body


async def ask_all(client: httpx.AsyncClient) -> dict[str, Any]:
    return {path: (await ask(client, path))[1] for path in POSTS}


def assert_alike(found: Any, expected: Any) -> None:
    """Check that two answers are equal within rounding of probabilities."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_alike(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    else:
        assert found == (pytest.approx(expected, abs=0.002) if isinstance(expected, float) else expected)


@pytest.fixture
def folder(toy: Checkpoint, tmp_path: Path) -> Path:
    """Return a checkpoint folder that a test may change."""
    save(variant(toy, 1), tmp_path / "served")
    return tmp_path / "served"


@pytest.fixture
def served(folder: Path) -> FastAPI:
    """Return an application of that folder whose admin endpoints need no key."""
    application = create_app(Settings(checkpoint=folder, device="cpu", torch_threads=1))
    application.dependency_overrides[require_admin] = lambda: None
    return application


@pytest.fixture
async def client(served: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(served) as client:
        await until_ready(client)
        yield client


async def reload(client: httpx.AsyncClient) -> str:
    """Reload and return the version of the new model."""
    response = await client.post("/admin/reload")
    assert response.status_code == 200, response.text
    assert response.json()["name"] == "toy"
    version: str = response.json()["version"]
    return version


def identities(name: str) -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children() if process.name == name}


def processes(name: str = "media") -> int:
    return len(identities(name))


@asynccontextmanager
async def load_on(
    client: httpx.AsyncClient, expected: dict[str, dict[str, Any]], workers: int = 8
) -> AsyncIterator[list[str]]:
    """Run clients that send requests continuously and compare each answer with its model's; yield the versions."""
    versions: list[str] = []
    over = asyncio.Event()

    async def worker(first: int) -> None:
        for path in itertools.islice(itertools.cycle(POSTS), first, None):
            if over.is_set():
                return
            version, body = await ask(client, path)
            assert_alike(body, expected[version][path])
            versions.append(version)

    async with asyncio.TaskGroup() as group:
        for i in range(workers):
            group.create_task(worker(i))
        try:
            yield versions
        finally:
            over.set()


@pytest.mark.slow
async def test_no_request_is_lost_and_memory_is_freed(
    served: FastAPI, client: httpx.AsyncClient, folder: Path, toy: Checkpoint
) -> None:
    expected, former = {"1": await ask_all(client)}, list[weakref.ref[Processor]]()
    save(variant(toy, 2, size=32), folder)
    assert await reload(client) == "2"
    expected["2"] = await ask_all(client)
    assert expected["1"]["/caption"] != expected["2"]["/caption"]
    allocated: list[int] = []

    async with load_on(client, expected) as versions:
        for i in range(4):
            former.append(weakref.ref(served.state.service.backend.engine().processor))
            save(variant(toy, 1 + i % 2, size=(64, 32)[i % 2]), folder)
            assert await reload(client) == str(1 + i % 2)
            seen = len(versions)
            while len(versions) < seen + 12:
                await asyncio.sleep(0.01)
            allocated.append(allocated_bytes())

    assert {"1", "2"} == set(versions)
    gc.collect()  # tasks and the objects that started them refer to each other
    assert [reference() for reference in former] == [None] * 4
    assert processes("model") == 1
    assert processes() == 2
    assert max(allocated[2:]) < 1.1 * max(allocated[:2])
    assert of(figures((await client.get("/metrics")).text), "reloads_total", result="succeeded") == 5


async def test_one_reload_at_a_time(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    going, go_on = asyncio.Event(), asyncio.Event()
    begin = ModelProcess.begin

    async def held_up(settings: Settings, _launched: object = None) -> ModelProcess:
        going.set()
        await go_on.wait()
        return await begin(settings)

    monkeypatch.setattr(ModelProcess, "begin", held_up)
    first = asyncio.create_task(reload(client))
    await asyncio.wait_for(going.wait(), 10)
    check(await client.post("/admin/reload"), 409, "reload_running")
    go_on.set()
    assert await first == "1"
    assert await reload(client) == "1"


async def test_old_model_completes_its_requests(
    served: FastAPI, client: httpx.AsyncClient, folder: Path, toy: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request uses one model and its media processes from the first byte to the response."""
    expected = await ask(client, "/activity")
    begun, go_on = threading.Event(), threading.Event()
    decode = Sandbox.decode

    def slow(sandbox: Sandbox, *file: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return decode(sandbox, *file)

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "decode", slow)
        early = asyncio.create_task(ask(client, "/activity"))
        assert await asyncio.to_thread(begun.wait, 10)
    save(variant(toy, 2, size=32), folder)
    reloading = asyncio.create_task(reload(client))
    while (await client.get("/tasks")).json()["model"]["version"] != "2":
        await asyncio.sleep(0.01)
    assert (await ask(client, "/pos"))[0] == "2"
    assert not early.done()
    assert not reloading.done()
    assert processes() == 4

    go_on.set()
    assert_alike(await early, expected)
    assert await reloading == "2"
    assert processes("model") == 1
    assert processes() == 2


async def test_metrics_show_the_new_model(
    served: FastAPI, client: httpx.AsyncClient, folder: Path, toy: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, busy = Sandbox.decode, list[float]()

    def watching(sandbox: Sandbox, *file: Any) -> Any:
        busy.append(of(figures(served.state.service.metrics.text().decode()), "media_busy_processes"))
        return decode(sandbox, *file)

    save(variant(toy, 2, size=32), folder)
    assert await reload(client) == "2"
    monkeypatch.setattr(Sandbox, "decode", watching)
    await ask(client, "/caption")
    found = figures((await client.get("/metrics")).text)

    assert busy == [1]
    assert [dict(labels)["version"] for name, labels in found if name == "omninet_model_info"] == ["2"]


async def test_media_processes_that_still_fit_are_kept(
    client: httpx.AsyncClient, folder: Path, toy: Checkpoint
) -> None:
    before = identities("media")
    save(variant(toy, 2), folder)
    assert await reload(client) == "2"
    assert identities("media") == before


async def test_a_service_that_stops_in_the_middle_of_a_reload(
    served: FastAPI, folder: Path, toy: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop during a reload: the new model is still loading, or the old one is still in use."""
    async with talking_to(served) as client:
        await until_ready(client)
        with served.state.service.backend._serving.in_use():
            save(variant(toy, 2, size=32), folder)
            served.state.service.backend.reload_soon()
            while (await client.get("/tasks")).json()["model"]["version"] != "2":
                await asyncio.sleep(0.01)
        served.state.service.backend.reload_soon()
    assert processes("model") == 0
    assert processes() == 0


async def test_reload_before_the_first_load_is_rejected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()
    begin = ModelProcess.begin

    async def held_up(settings: Settings, _launched: object = None) -> ModelProcess:
        await go_on.wait()
        return await begin(settings)

    monkeypatch.setattr(ModelProcess, "begin", held_up)
    application = create_app(Settings(checkpoint=folder, device="cpu"))
    application.dependency_overrides[require_admin] = lambda: None
    async with talking_to(application) as client:
        check(await client.post("/admin/reload"), 503, "not_ready")
        go_on.set()
        await until_ready(client)


async def test_a_model_that_has_failed_can_be_replaced(served: FastAPI, client: httpx.AsyncClient) -> None:
    served.state.service.backend.engine().is_alive = False
    assert await reload(client) == "1"
    assert (await client.post("/pos", **POSTS["/pos"])).status_code == 200


async def test_reload_needs_an_admin_key(serve: Serve) -> None:
    async with serve() as client:
        check(await client.post("/admin/reload"), 403, "admin_disabled")


class MallocInfo(ctypes.Structure):
    """The struct ``mallinfo2`` of glibc."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")),
        *((name, ctypes.c_size_t) for name in ("uordblks", "fordblks", "keepcost")),
    ]


def allocated_bytes() -> int:
    """Return the heap bytes in use; resident memory also contains freed memory kept by malloc, which varies more."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = MallocInfo
    found = mallinfo()
    return int(found.uordblks + found.hblkhd)


async def test_the_endpoints_are_those_of_the_new_model(
    served: FastAPI, client: httpx.AsyncClient, folder: Path, toy: Checkpoint
) -> None:
    fewer = {name: toy.config.network.tasks[name] for name in ("pos", "vqa")}
    mood = Task("mood", (TEXT,), "label", "vqa", "how a text sounds")
    network = replace(toy.config.network, tasks={**fewer, "mood": mood}, controls=())
    config = replace(toy.config, version="2", network=network)
    before = (await client.get("/openapi.json")).json()["paths"]

    save(replace(toy, config=config, network=OmniNet(network).eval(), vocabularies=named(toy, "pos", "vqa")), folder)
    assert (await client.post("/mood", json={"text": "a"})).status_code == 404
    assert await reload(client) == "2"

    body = (await client.post("/mood", json={"text": "what a day"})).json()
    assert list(body) == ["label", "candidates", "confidence", "model", "timings_ms", "notes"]
    assert (await ask(client, "/vqa"))[0] == "2"
    gone = await client.post("/caption", **POSTS["/caption"])
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "task_not_in_checkpoint")
    tasks = (await client.get("/tasks")).json()["tasks"]
    assert {task["name"]: task["endpoints"] for task in tasks} == {
        "pos": ["/pos"],
        "vqa": ["/vqa", "/video-qa"],
        "mood": ["/mood"],
    }
    after = (await client.get("/openapi.json")).json()["paths"]
    assert set(after) - set(before) == {"/mood"}
    assert set(before) - set(after) == {"/caption", "/video-caption", "/activity"}


async def test_request_for_a_task_removed_by_a_reload_is_rejected(folder: Path, toy: Checkpoint) -> None:
    """The request was routed before the new model took over."""
    network = toy.config.network.subset(["pos"])
    save(replace(toy, config=replace(toy.config, network=network), network=OmniNet(network).eval()), folder)
    app = create_app(Settings(checkpoint=folder, device="cpu", torch_threads=1))
    async with talking_to(app) as client:
        await until_ready(client)
        upload = Upload("image", "vision", "image", io.BytesIO(PICTURE))
        for task in ("caption", "pos"):
            with pytest.raises(InputError, match=r"the checkpoint has no task|takes no image"):
                await app.state.service.backend.predict(Query(task, {}, (upload,), time.monotonic() + 9), Stopwatch())


def named(toy: Checkpoint, *names: str) -> dict[str, tuple[str, ...]]:
    """Return some of the toy's vocabularies."""
    return {name: toy.vocabularies[name] for name in names}
