"""The README against the project: its curl lines run, its answers are true, its settings are all there are."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omninet.app.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A curl line in a shell block, and the JSON block that follows it.
EXAMPLES = re.findall(r"```sh\n(curl .+?)\n```\n+```json\n(.+?)\n```", README, re.DOTALL)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of the bundled model, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "omninet", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/readyz")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within 60 s")


def test_every_endpoint_has_an_example() -> None:
    asked = [re.search(r"127\.0\.0\.1:8000(/[\w-]+)", line) for line, _ in EXAMPLES]
    assert [match[1] for match in asked if match] == [
        "/caption",
        "/vqa",
        "/pos",
        "/activity",
        "/video-caption",
        "/video-qa",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "shown"), EXAMPLES, ids=[line.split("8000/")[1].split()[0] for line, _ in EXAMPLES])
def test_curl_lines_answer_what_is_shown(line: str, shown: str, address: str) -> None:
    command = line.replace("http://127.0.0.1:8000", address).replace("curl ", "curl --silent --show-error ")
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    _assert_same(json.loads(done.stdout), json.loads(shown), "")


def _assert_same(answered: Any, shown: Any, where: str) -> None:
    """Equal but for times, and for numbers beyond the digits that are shown."""
    if where == "/timings_ms":
        assert answered.keys() == shown.keys()
    elif isinstance(shown, dict):
        assert answered.keys() == shown.keys(), where
        for name, value in shown.items():
            _assert_same(answered[name], value, f"{where}/{name}")
    elif isinstance(shown, list):
        assert len(answered) == len(shown), where
        for i, value in enumerate(shown):
            _assert_same(answered[i], value, f"{where}/{i}")
    elif isinstance(shown, float):
        assert answered == pytest.approx(shown, abs=0.02), where
    else:
        assert answered == shown, where


def test_every_setting_is_listed() -> None:
    listed = dict(re.findall(r"^\| `(OMNINET_\w+)` \| .+? \| (.+?) \|$", README, re.MULTILINE))
    described = {f"OMNINET_{name.upper()}": field.description for name, field in Settings.model_fields.items()}
    assert listed == described
