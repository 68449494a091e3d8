"""Counts of the comparison with the authors' algorithm."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import parity
from benchmarks.authors import decode_greedy


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["parity", *arguments])
    return parity.main()


def test_all_tokens_are_the_same(
    toy_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--checkpoint", str(toy_checkpoint), "--inputs", "12") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "float32: the authors' tokens for 12 of 12 inputs"
    assert [line.split(":")[0] for line in lines[1:]] == [
        f"{name} from {what}" for name in ("bfloat16", "int8") for what in ("features", "pixels")
    ]


def test_other_tokens_are_counted(
    toy_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode = decode_greedy
    monkeypatch.setattr(parity, "decode_greedy", lambda *given: torch.zeros_like(decode(*given)) - 1)

    assert run(monkeypatch, "--checkpoint", str(toy_checkpoint), "--inputs", "4") == 1

    assert "the authors' tokens for 0 of 4 inputs" in capsys.readouterr().out


@pytest.mark.slow
def test_the_bundled_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--inputs", "60") == 0

    assert "the authors' tokens for 60 of 60 inputs" in capsys.readouterr().out
