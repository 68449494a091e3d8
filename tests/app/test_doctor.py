"""Tests of ``omninet doctor``."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from omninet.app import doctor as module
from omninet.app.doctor import doctor, unusual
from omninet.app.settings import Settings

GIB = 2**30


@pytest.fixture
def settings(toy_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings on a machine with nothing unusual."""
    monkeypatch.setattr(module, "memory", lambda: (16 * GIB, 8 * GIB))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return Settings(checkpoint=toy_checkpoint, device="cpu", torch_threads=1)


def test_facts_of_a_healthy_installation(
    settings: Settings, toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(settings) == 0

    shown = capsys.readouterr().out
    facts = dict(line.split(maxsplit=1) for line in shown.split("\n\n")[0].splitlines())
    assert facts["checkpoint"].startswith(f"{toy_checkpoint}, toy ")
    assert f"torch {version('torch')}" in facts["libraries"]
    assert facts["device"] == "cpu"
    assert facts["precision"] == "float32"
    assert facts["threads"].startswith(f"{torch.get_num_threads()} ")
    assert facts["memory"] == "16.0 GiB, 8.0 GiB available"
    assert shown.endswith("Nothing unusual was found.\n")


def test_a_checkpoint_that_cannot_be_loaded(
    settings: Settings, toy_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(toy_checkpoint, tmp_path / "altered"))
    (folder / "tokenizer.model").unlink()

    assert doctor(settings.model_copy(update={"checkpoint": folder})) == 2
    assert "! the model cannot be loaded: " in capsys.readouterr().out


def test_what_is_unusual_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(unusual(settings)) == []

    monkeypatch.setattr(module, "memory", lambda: (2 * GIB, GIB))
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    monkeypatch.setenv("OMNINET_PROT", "80")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    found = list(unusual(settings.model_copy(update={"torch_threads": 4096})))

    expected = [
        "package no-such-package is not installed",
        "OMNINET_PROT is not a setting and has no effect; did you mean OMNINET_PORT?",
        "OMNINET_TORCH_THREADS is 4096",
        "OMP_NUM_THREADS is set",
        "1.0 GiB of memory are available, but the service may take 3.0 GiB",
    ]
    assert [finding.startswith(start) for finding, start in zip(found, expected, strict=True)] == [True] * 5
