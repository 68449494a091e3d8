"""Section "Tasks of other checkpoints" of docs/api.md: its commands and programs run with such a checkpoint."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.test_documents import DOCUMENTS, ROOT, SERVER
from tests.toys import with_new_tasks

SECTION = re.split("^## ", DOCUMENTS["docs/api.md"].partition("## Tasks of other checkpoints")[2], flags=re.MULTILINE)[
    0
]
BLOCKS = re.findall(r"```(sh|python)\n(.+?)```", SECTION, re.DOTALL)
CURLS = [line for kind, code in BLOCKS for line in code.splitlines() if kind == "sh" and line.startswith("curl ")]
COMMANDS = [line for kind, code in BLOCKS for line in code.splitlines() if kind == "sh" and line.startswith("omninet ")]
PROGRAMS = [code for kind, code in BLOCKS if kind == "python"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the tasks of the section."""
    folder = tmp_path_factory.mktemp("documents") / "checkpoint"
    save(with_new_tasks(toy), folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Return the address of a server of the checkpoint."""
    settings = Settings(device="cpu")
    with listening(create_app(settings, Engine([Predictor.load(folder, device="cpu")])), settings) as (host, port):
        yield f"http://{host}:{port}"


def run(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("line", CURLS)
def test_requests(line: str, address: str) -> None:
    path = line.rpartition("/")[2]
    answer = json.loads(run(["bash", "-c", line.replace(SERVER, address).replace("curl ", "curl --silent ")]))

    assert "error" not in answer
    described = SECTION.partition(f"### `/{path}`")[2].partition("### ")[0].partition("| response |")[2]
    listed = re.findall(r"^(?:\| \|)? `(\w+)` \|", described, re.MULTILINE)
    assert list(answer) == [*listed, "confidence", "model", "timings_ms", "notes"]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, folder: Path) -> None:
    command = line.replace("omninet ", f"{sys.executable} -m omninet ", 1).replace("runs/mine/checkpoint", str(folder))
    assert run(["bash", "-c", command])


@pytest.mark.parametrize("code", PROGRAMS)
def test_programs(code: str, folder: Path) -> None:
    assert run([sys.executable, "-W", "error", "-c", code.replace("runs/mine/checkpoint", str(folder))])


def test_every_endpoint_has_a_request_and_a_program() -> None:
    assert {line.rpartition("/")[2] for line in CURLS} == {"match", "embed", "ground", "verify", "classify", "entities"}
    assert (len(PROGRAMS), len(COMMANDS)) == (6, 7)
