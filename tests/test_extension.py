"""A modality, an output and a task from outside the packages: the guide's, from training to the served answer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omninet.command import main
from omninet.model.extensions import VARIABLE, load_extensions
from omninet.model.job import Job
from omninet.model.modalities import MODALITIES
from omninet.model.outputs import OUTPUTS
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from omninet.training.data import DATASETS
from tests.training.conftest import write_flickr8k

ROOT = Path(__file__).parents[1]
SECTION = re.split(r"^## \d\. ", (ROOT / "docs" / "guide.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[6]
BLOCKS = re.findall(r"```(\w+)\n(.+?)```", SECTION, re.DOTALL)
RECORDS = 6
pytestmark = pytest.mark.slow


def block(kind: str, holding: str = "") -> str:
    """The block of a kind that holds some text."""
    (found,) = [code for of, code in BLOCKS if of == kind and holding in code]
    return str(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the guide's module, its run, and data to train on."""
    folder = tmp_path_factory.mktemp("extension")
    (folder / "wear.py").write_text(block("python"))
    (folder / "wear.yaml").write_text(block("yaml"))
    write_flickr8k(folder / "flickr8k")
    (folder / "wear").mkdir()
    random = np.random.default_rng(0)
    for number in range(RECORDS + 1):
        photo = Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        photo.save(folder / "wear" / f"{number}.jpg")
    records = [
        {
            "before": f"{i}.jpg",
            "after": f"{i + 1}.jpg",
            "text": "It rattles and smokes." if i % 2 else "All is well.",
            "readings": random.normal(size=(2 + i, 3)).tolist(),
            "truth": i % 5,
        }
        for i in range(RECORDS)
    ]
    for split in ("train", "dev"):
        (folder / "wear" / f"{split}.json").write_text(json.dumps(records))
    return folder


@pytest.fixture(scope="module", autouse=True)
def extended(folder: Path) -> Iterator[None]:
    """The guide's module is loaded here and in every process that is started; afterwards nothing of it is left."""
    kept = [(table, dict(table)) for table in (MODALITIES, OUTPUTS, TASKS, DATASETS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "wear")
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
        patch.syspath_prepend(folder)
        load_extensions()
        yield
    for table, before in kept:
        table.clear()
        table.update(before)  # type: ignore[arg-type]
    sys.modules.pop("wear", None)


def run(folder: Path, code: str, **environment: str) -> str:
    """What a shell program says that ends well in a folder."""
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": os.environ["PYTHONPATH"], **environment}
    command = ["bash", "-euo", "pipefail", "-c", code.replace("PYTHONPATH=.", "PYTHONPATH=.:$PYTHONPATH")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(folder: Path) -> str:
    """What the guide's commands say that train, measure and ask; the checkpoint is in ``run``."""
    no_java = folder / "bin" / "java"  # METEOR takes seconds to begin
    no_java.parent.mkdir()
    no_java.symlink_to(shutil.which("false") or "/bin/false")
    return run(folder, f"export PATH={no_java.parent}:$PATH\n" + block("sh", "omninet train"))


@pytest.fixture(scope="module")
def predictor(folder: Path, trained: str) -> Predictor:
    """The checkpoint that the guide's run has left."""
    assert trained
    return Predictor.load(folder / "run" / "checkpoint", device="cpu")


def wear(predictor: Predictor, folder: Path, number: int) -> Job:
    """A request for a grade."""
    record = json.loads((folder / "wear" / "dev.json").read_text())[number]
    photos = {name: folder / "wear" / record[name] for name in ("before", "after")}
    return predictor.prepare("wear", **photos, text=record["text"], readings=record["readings"])


def test_it_is_less_than_sixty_lines() -> None:
    assert sum(bool(line.strip()) for line in block("python").splitlines()) < 60


def test_it_is_trained_measured_and_asked(trained: str) -> None:
    assert "mean error" in trained
    assert re.search(r"^\d\.\d+$", trained, re.MULTILINE), trained


def test_a_mixed_batch_answers_as_each_row_alone(predictor: Predictor, folder: Path) -> None:
    photo = folder / "wear" / "0.jpg"
    jobs = [
        wear(predictor, folder, 0),
        predictor.prepare("caption", image=photo),
        wear(predictor, folder, 3),
        predictor.prepare("caption", image=photo, beams=3),
        wear(predictor, folder, 5),
    ]

    decoded = predictor.run([row for job in jobs for row in job.rows])

    grades = []
    for job, row in zip(jobs, decoded, strict=True):
        (alone,) = predictor.run(job.rows)
        assert row.tokens == alone.tokens
        if row.values is not None and alone.values is not None:
            np.testing.assert_allclose(row.values, alone.values, atol=1e-5)
            grades.append(float(row.values[0]))
    assert len(set(grades)) == 3


@pytest.mark.parametrize("runner", ["single", "hogwild"])
def test_every_runner_trains_it_beside_captions(folder: Path, runner: str) -> None:
    command = ["train", str(folder / "wear.yaml"), "--data", str(folder), "--backbone", "random", "--runner", runner]
    out = folder / runner

    assert main([*command, "--out", str(out), "--set", "steps=8", "--set", "warmup=2"]) == 0

    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = {task: [r["loss"] for r in log if r.get("task") == task and "loss" in r] for task in ("wear", "caption")}
    assert all(len(found) >= 2 and np.isfinite(found).all() for found in losses.values())
    assert Predictor.load(out / "checkpoint", device="cpu").tasks == ["caption", "wear"]


@pytest.fixture(scope="module")
def address(folder: Path, predictor: Predictor) -> Iterator[str]:
    """The guide's server, on a port that is free."""
    assert predictor
    command = [*block("sh", "omninet serve").split()[1:], "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "omninet", *command], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            run(folder, f"curl -sf --retry 60 --retry-delay 1 --retry-all-errors {address}/readyz")
            yield address
        finally:
            process.terminate()


def test_it_is_served(folder: Path, predictor: Predictor, address: str) -> None:
    said = json.loads(run(folder, block("sh", "curl").replace("http://127.0.0.1:8000", address)))

    photos = {"before": folder / "wear" / "0.jpg", "after": folder / "wear" / "1.jpg"}
    wanted = predictor.predict("wear", **photos, text="It rattles.", readings=[[0, 1, 0]])
    assert said["grade"] == pytest.approx(float(predictor.output("wear").line(wanted)), abs=1e-5)
    assert list(said) == ["grade", "confidence", "model", "timings_ms", "notes"]


def test_tasks_say_what_it_takes(address: str) -> None:
    with urllib.request.urlopen(f"{address}/tasks") as reply:
        tasks: Mapping[str, Any] = {task["name"]: task for task in json.load(reply)["tasks"]}

    assert tasks["wear"]["endpoints"] == ["/wear"]
    assert tasks["wear"]["inputs"] == ["vision", "vision", "language", "sensor"]
    assert (tasks["wear"]["output"], tasks["wear"]["vocabulary"]) == ("grade", None)


def test_bad_readings_are_refused(folder: Path, address: str) -> None:
    code = block("sh", "curl").replace("http://127.0.0.1:8000", address).replace("[[0, 1, 0]]", "all is well")

    assert "readings" in json.loads(run(folder, code))["error"]["message"]
