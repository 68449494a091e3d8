"""Tests of failed reloads: the old model stays in service and the response contains the reason."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI

from omninet.app.http.routers.common import require_admin
from omninet.app.local.process_client import ModelProcess
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, load, save
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.app.http.test_service import until_ready
from tests.app.local.test_reload import ask_all, damage, load_on, processes, variant
from tests.app.telemetry.test_metrics import figures

pytestmark = pytest.mark.anyio


def cut(folder: Path) -> None:
    """Write a weights file whose size matches the checksums but not its own header."""
    weights, sums = folder / "model.safetensors", folder / "SHA256SUMS"
    known = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(weights.read_bytes()[:-100])
    sums.write_text(sums.read_text().replace(known, hashlib.sha256(weights.read_bytes()).hexdigest()))


def spoil(folder: Path) -> None:
    """Write an intact checkpoint with a NaN weight that only one task uses."""
    found = load(folder)
    with torch.no_grad():
        found.network.get_parameter("cnp.classifiers.vqa.bias")[0] = torch.nan
    save(found, folder)


@dataclass(frozen=True)
class Lasting:
    """A service shared by all tests of this file.

    Attributes:
        expected: its correct answers.
    """

    app: FastAPI
    client: httpx.AsyncClient
    expected: dict[str, Any]

    async def failed(self) -> float:
        """Return the number of failed reloads."""
        found = figures((await self.client.get("/metrics")).text)
        return found.get(("omninet_reloads_total", frozenset({("result", "failed")})), 0)


@pytest.fixture(scope="module")
def whole(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint folder that tests must not change."""
    folder = tmp_path_factory.mktemp("whole") / "toy"
    save(variant(toy, 1), folder)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the served checkpoint."""
    return tmp_path_factory.mktemp("place") / "served"


@pytest.fixture
def folder(whole: Path, place: Path) -> Path:
    """Restore the served checkpoint, which the test may change."""
    for left in place.parent.iterdir():
        shutil.rmtree(left)
    return Path(shutil.copytree(whole, place))


@pytest.fixture(scope="module")
async def served(whole: Path, place: Path) -> AsyncIterator[Lasting]:
    """Run an application of that checkpoint whose admin endpoints need no key."""
    shutil.copytree(whole, place)
    app = create_app(Settings(checkpoint=place, device="cpu", torch_threads=1))
    app.dependency_overrides[require_admin] = lambda: None
    async with talking_to(app) as client:
        await until_ready(client)
        yield Lasting(app, client, await ask_all(client))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "tokenizer.model").unlink(), "served/tokenizer.model is missing"),
        (damage, "served/model.safetensors was altered"),
        (cut, "served/model.safetensors is not a safetensors file"),
        (spoil, "task vqa gives NaN or infinite probabilities"),
        (lambda folder: folder.rename(folder.with_name("elsewhere")), "served is not a checkpoint folder"),
    ],
    ids=["missing", "damaged", "cut", "no numbers", "nothing there"],
)
async def test_a_broken_checkpoint_changes_nothing(
    served: Lasting,
    folder: Path,
    harm: Callable[[Path], object],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, failed = served.app.state.service.backend.engine(), await served.failed()
    async with load_on(served.client, {"1": served.expected}) as versions:
        harm(folder)
        message = check(await served.client.post("/admin/reload"), 409, "reload_failed")["message"]
        seen = len(versions)
        while len(versions) < seen + 12:
            await asyncio.sleep(0.01)

    assert reason in message
    assert str(folder.parent) not in message
    assert reason in caplog.text
    assert served.app.state.service.backend.engine() is engine
    assert processes("model") == 1
    assert await served.failed() == failed + 1


async def test_unexpected_reload_failure_is_only_logged(
    served: Lasting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Settings, _launched: object = None) -> None:
        raise MemoryError("secret")

    monkeypatch.setattr(ModelProcess, "begin", fail)
    message = check(await served.client.post("/admin/reload"), 409, "reload_failed")["message"]

    assert "secret" not in message
    assert "secret" in caplog.text
