"""The documents against the project: curl lines run and answer what is shown, paths, modules and links exist."""

from __future__ import annotations

import importlib
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

import httpx
import pytest
import yaml

import omninet
from omninet.app.http.samples import STATIC
from omninet.app.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "docs", "model/bundled", "app/static/samples")
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in (ROOT / folder).glob("*.md")
}
SERVER = "http://127.0.0.1:8000"
SAMPLES: list[dict[str, Any]] = json.loads((STATIC / "samples.json").read_text(encoding="utf-8"))["files"]
# Shell blocks that are one curl command, each with the JSON block that follows it, if there is one.
CURL = re.compile(r"```sh\n(curl [^\n]+)\n```\n(?:\n+```json\n(.+?)\n```)?", re.DOTALL)
TESTED_ELSEWHERE = {"docs/guide.md"}  # tests/test_guide.py, tests/test_extension.py
COMMANDS = [
    pytest.param(line, shown, id=f"{name}:{line.split(SERVER)[1].split()[0]}:{number}")
    for name, text in DOCUMENTS.items()
    for number, (line, shown) in enumerate(CURL.findall(text))
    if name not in TESTED_ELSEWHERE
]
PATH = re.compile(
    r"(?:\.\./)*(?:app|model|training|omninet|docs|tests|benchmarks|docker|\.ci)/[\w./*-]*[\w*/]|"
    r"[\w-]+\.(?:md|py|toml|yml|yaml|tsv|sh)|Makefile"
)
# Names of files that users have, or that programs write.
NOT_OURS = re.compile(r"^(wear|labels|curve|[A-Z]+)\.|^(model|serving|table)\.md$")
MODULE = re.compile(r"\b(?:omninet\.(?:app|model|training)|benchmarks)(?:\.(?!md\b)\w+)+|\bomninet\.(?:load|command)\b")


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
    asked = [re.search(rf"{SERVER}(/[\w-]+)", line) for line, shown in CURL.findall(DOCUMENTS["docs/api.md"]) if shown]
    assert [match[1] for match in asked if match] == [
        "/caption",
        "/vqa",
        "/pos",
        "/activity",
        "/video-caption",
        "/video-qa",
        "/batch",
        "/read",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "shown"), COMMANDS)
def test_curl_lines_answer_what_is_shown(line: str, shown: str, address: str, tmp_path: Path) -> None:
    command = line.replace(SERVER, address).replace("curl ", "curl --silent --show-error ")
    command = command.replace("heat.png", str(tmp_path / "heat.png"))
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    if shown:
        _assert_same(json.loads(done.stdout), json.loads(shown), "")
    elif "/admin/" in line:
        assert '"admin_disabled"' in done.stdout  # the server of the test has no keys
    elif "heat.png" in line:
        assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")
    else:
        assert done.stdout
        assert '"error"' not in done.stdout


def _rows() -> list[list[str]]:
    """Return the cells of the table of samples in the README."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENTS["README.md"].splitlines()
        if re.match(r"\| [a-z]+\.(jpg|webm) \|", line)
    ]


def test_the_readme_has_every_sample() -> None:
    assert [row[0] for row in _rows()] == [sample["file"] for sample in SAMPLES]


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_the_readme_has_what_the_bundled_model_answers(sample: dict[str, Any], address: str) -> None:
    """The verdicts are those of the page: a caption that has none of them has to be judged anew."""
    (row,) = (row for row in _rows() if row[0] == sample["file"])
    prefix, question = "video-" if sample["type"].startswith("video") else "", sample["texts"]["question"]
    caption = _judged(address, f"{prefix}caption", sample, "caption")
    answer = _judged(address, "video-qa" if prefix else "vqa", sample, "answer", question=question)
    activity = _judged(address, "activity", sample, "activity") if prefix else ""
    assert row[1:] == [sample["truths"]["caption"]["is"].rstrip("."), caption, f"{question} {answer}", activity]


def _judged(address: str, path: str, sample: dict[str, Any], key: str, **fields: str) -> str:
    """Return what the model answers about a sample, with the verdict."""
    file = STATIC / "samples" / sample["file"]
    with file.open("rb") as opened:
        files = {sample["type"].split("/")[0]: opened}
        given: str = httpx.post(f"{address}/{path}", files=files, data=fields, timeout=60).json()[key]
    truth = sample["truths"][key]
    for verdict, name in {"right": "right", "partly": "partly right"}.items():
        if given in truth.get(verdict, ()):
            return f"{given}: {name}"
    assert given in truth.get("wrong", [given]), f"judge the answer {given!r} about {file.name} in samples.json"
    return f"{given}: wrong"


def _assert_same(answered: Any, shown: Any, where: str) -> None:
    """Equal but for times, and for numbers beyond the digits that are shown."""
    if where.endswith("/timings_ms"):
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
    listed = dict(re.findall(r"^\| `(OMNINET_\w+)` \| .+? \| (.+?) \|$", DOCUMENTS["docs/settings.md"], re.MULTILINE))
    described = {f"OMNINET_{name.upper()}": field.description for name, field in Settings.model_fields.items()}
    assert listed == described


def test_the_readme_is_short() -> None:
    assert len(DOCUMENTS["README.md"].splitlines()) <= 160


def test_every_document_is_in_the_index() -> None:
    named = set(re.findall(r"\]\(([\w./-]+\.md)\)", DOCUMENTS["docs/README.md"]))
    missing = [name for name in DOCUMENTS if f"../{name}" not in named and name.removeprefix("docs/") not in named]
    assert missing == ["README.md", "docs/README.md"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)]*)\)", _without_code(DOCUMENTS[name])):
        file, _, heading = target.partition("#")
        if target.startswith("https://"):
            continue
        path = (folder / file).resolve() if file else ROOT / name
        assert path.exists(), target
        if heading:
            assert heading in _anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(name: str) -> None:
    folder = (ROOT / name).parent
    for quoted in re.findall(r"`([^`\n]+)`", _without_code(DOCUMENTS[name])):
        for word in quoted.split():
            if PATH.fullmatch(word) and not NOT_OURS.search(word):
                assert _exists(word, folder), word


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_module_exists(name: str) -> None:
    for found in MODULE.findall(DOCUMENTS[name]):
        assert _resolves(found), found


def _without_code(text: str) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(text: str) -> set[str]:
    """Names by which links reach the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", _without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _exists(word: str, folder: Path) -> bool:
    """Whether a path, a pattern or the mere name of a file is that of something in the repository."""
    if any(any(base.glob(word.rstrip("/"))) for base in (ROOT, folder) if not word.startswith("..")):
        return True
    if word.startswith("..") or "/" in word:
        return (folder / word).exists()
    return any(any((ROOT / top).rglob(word)) for top in ("app", "model", "training", "tests", "benchmarks", "docker"))


def _resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        file = ROOT.joinpath(*parts[:count])
        if file.is_dir() or file.with_suffix(".py").is_file():
            found: Any = importlib.import_module(".".join(parts[:count]))
            return not parts[count:] or hasattr(found, parts[count])
    return False


def test_the_newest_release_is_the_version_of_the_package() -> None:
    released = re.findall(r"^## \[(\d[\d.]*)\] - \d{4}-\d\d-\d\d$", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)
    assert released[0] == omninet.__version__


def test_pre_commit_checks_what_make_does() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["id"] for repo in config["repos"] for hook in repo["hooks"]}
    assert hooks == {"ruff-check", "ruff-format", "mypy"}
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"]) for repo in config["repos"] if repo["repo"] != "local")
