"""The guide: every command and every program on it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_documents import address as address  # noqa: PLC0414 - a fixture
from tests.training.conftest import write_activities, write_daquar, write_ewt, write_flickr8k

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## \d\. (.+?)\n(.+?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
BLOCKS = [
    (title, kind, code)
    for title, text in SECTIONS.items()
    for kind, code in re.findall(r"```(\w+)\n(.+?)```", text, re.DOTALL)
]
PATHS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
pytestmark = pytest.mark.slow


def blocks(kind: str, *titles: str) -> list[str]:
    return [code for title, of, code in BLOCKS if of == kind and (title in titles or not titles)]


def run(command: list[str], code: str, **environment: str) -> str:
    """What a program says that ends well."""
    done = subprocess.run(
        command,
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PATH": PATHS, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_kind_of_block_is_tried() -> None:
    assert {kind for _, kind, _ in BLOCKS} == {"sh", "python", "js", "yaml"}
    assert len(SECTIONS) == 8


# Section 6 is tried by tests/test_extension.py.
@pytest.mark.parametrize("code", blocks("python", "Ask from Python, without a server", "Read an explanation"))
def test_python(code: str) -> None:
    assert run([sys.executable, "-W", "error", "-"], code)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript(address: str) -> None:
    (code,) = blocks("js")

    assert (
        "table" in (said := run(["node", "--input-type=module"], code.replace("http://127.0.0.1:8000", address)))
        or said
    )


@pytest.mark.parametrize("code", blocks("sh", "Ask with curl", "Read an explanation", "Scale"))
def test_shell(code: str, address: str, tmp_path: Path) -> None:
    code = code.replace("http://127.0.0.1:8000", address).replace("heat.png", str(tmp_path / "heat.png"))

    said = run(["bash", "-euo", "pipefail"], code)

    assert said
    assert '"error"' not in said


def test_training(tmp_path: Path) -> None:
    (code,) = blocks("sh", "Train")
    data = tmp_path / "data"
    for write, name in (
        (write_flickr8k, "flickr8k"),
        (write_ewt, "ewt"),
        (write_daquar, "daquar"),
        (write_activities, "activities"),
    ):
        write(data / name)
    no_java = tmp_path / "bin" / "java"  # METEOR takes seconds to begin
    no_java.parent.mkdir()
    no_java.symlink_to(shutil.which("false") or "/bin/false")
    quick = "--set steps=4 --set warmup=2 --set vocabulary=120 --runner single"
    code = code.replace("runs/smoke", str(tmp_path / "run")).replace("--out", f"{quick} --out", 1)

    said = run(["bash", "-euo", "pipefail"], code, DATA=str(data), PATH=f"{no_java.parent}{os.pathsep}{PATHS}")

    assert "checkpoint" in said
