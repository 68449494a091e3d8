"""Writes what the bundled model answers into the documents: ``python -m tests.write_answers``.

Run it when the bundled model has changed, then judge the answers about samples that it names, in
``app/static/samples.json``, and run it again.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx

from omninet.app.engine.engine import Engine
from omninet.app.http.samples import STATIC
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.test_documents import CURL, DOCUMENTS, ROOT, SAMPLES, SERVER, TESTED_ELSEWHERE

WIDTH = 124
VERDICTS = {"right": "right", "partly": "partly right", "wrong": "wrong"}


def written(value: Any, indent: str = "", start: int = 0) -> str:
    """Format JSON: on one line if it fits, else with a line for each field, and as many items on a line as fit.

    Args:
        start: characters before the value on its line.
    """
    short = json.dumps(_rounded(value), ensure_ascii=False)
    if (indent and start + len(short) <= WIDTH) or not isinstance(value, dict | list):
        return short
    inner = indent + " "
    if isinstance(value, dict):
        fields = [f'{inner}"{name}": {written(each, inner, len(name) + 6)}' for name, each in value.items()]
        return "{\n" + ",\n".join(fields) + f"\n{indent}}}"
    lines = [inner]
    for number, each in enumerate(value):
        item = written(each, inner, len(inner)) + ("," if number < len(value) - 1 else "")
        if lines[-1] != inner and len(lines[-1]) + 1 + len(item) > WIDTH:
            lines.append(inner)
        lines[-1] += item if lines[-1] == inner else f" {item}"
    return "[\n" + "\n".join(lines) + f"\n{indent}]"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def write_blocks(name: str, address: str) -> None:
    """Ask every command of a document that has an answer, and replace the answer."""

    def replaced(found: re.Match[str]) -> str:
        command, shown = found.groups()
        if not shown:
            return found[0]
        line = command.replace(SERVER, address).replace("curl ", "curl --silent --show-error ")
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        return found[0].replace(shown, written(json.loads(done.stdout)))

    path = ROOT / name
    path.write_text(CURL.sub(replaced, path.read_text(encoding="utf-8")), encoding="utf-8")


def write_samples(address: str) -> None:
    """Replace the table of samples in the README."""
    path = ROOT / "README.md"
    lines = path.read_text(encoding="utf-8").splitlines()
    for sample in SAMPLES:
        (number,) = (i for i, line in enumerate(lines) if line.startswith(f"| {sample['file']} |"))
        clip, question = sample["type"].startswith("video"), sample["texts"]["question"]
        cells = [
            sample["file"],
            sample["truths"]["caption"]["is"].rstrip("."),
            judged(address, "video-caption" if clip else "caption", sample, "caption"),
            f"{question} {judged(address, 'video-qa' if clip else 'vqa', sample, 'answer', question=question)}",
            judged(address, "activity", sample, "activity") if clip else "",
        ]
        lines[number] = f"| {' | '.join(cells)} |"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def judged(address: str, path: str, sample: dict[str, Any], key: str, **fields: str) -> str:
    """Return an answer about a sample with its verdict; print it if it has none."""
    file: Path = STATIC / "samples" / sample["file"]
    with file.open("rb") as opened:
        files = {sample["type"].split("/")[0]: opened}
        answer: str = httpx.post(f"{address}/{path}", files=files, data=fields, timeout=60).json()[key]
    truth = sample["truths"][key]
    verdict = next((name for kind, name in VERDICTS.items() if answer in truth.get(kind, ())), "wrong")
    if answer not in truth.get("wrong", [answer]) and verdict == "wrong":
        print(f"judge {key} {answer!r} about {file.name}")
    return f"{answer}: {verdict}"


def main() -> None:
    """Write the answers into all documents."""
    settings = Settings(device="cpu")
    with listening(create_app(settings, Engine([Predictor.load(device="cpu")])), settings) as (host, port):
        address = f"http://{host}:{port}"
        for name in DOCUMENTS:
            if name not in TESTED_ELSEWHERE:
                write_blocks(name, address)
        write_samples(address)


if __name__ == "__main__":
    main()
