"""Section "Pictures and texts compared, found and named" of docs/api.md: its commands and programs run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from omninet.command import main
from tests.test_documents import DOCUMENTS, ROOT, SERVER
from tests.test_documents import address as address  # noqa: PLC0414 - a fixture

SECTION = re.split(
    "^## ", DOCUMENTS["docs/api.md"].partition("## Pictures and texts compared, found and named")[2], flags=re.MULTILINE
)[0]
BLOCKS = re.findall(r"```(sh|python)\n(.+?)```", SECTION, re.DOTALL)
CURLS = [line for kind, code in BLOCKS for line in code.splitlines() if kind == "sh" and line.startswith("curl ")]
COMMANDS = [line for kind, code in BLOCKS for line in code.splitlines() if kind == "sh" and line.startswith("omninet ")]
PROGRAMS = [code for kind, code in BLOCKS if kind == "python"]
pytestmark = pytest.mark.slow


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


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the documents name files of the repository


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, *arguments = shlex.split(line)

    assert main(arguments) == 0

    assert capsys.readouterr().out


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("code", PROGRAMS)
def test_programs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(code, {})

    assert capsys.readouterr().out


def test_every_endpoint_has_a_request_and_a_program() -> None:
    compared = {"match", "embed", "ground", "verify", "classify", "entities"}
    assert {line.rpartition("/")[2] for line in CURLS} == compared | {"translate", "transcribe", "read"}
    assert (len(PROGRAMS), len(COMMANDS)) == (9, 12)
