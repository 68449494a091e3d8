"""Benchmark of a checkpoint on a device; here of a small one on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import device


def test_a_table(toy_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--checkpoint", str(toy_checkpoint), "--device", "cpu", "--precision", "bfloat16", "--seconds", "0"]
    monkeypatch.setattr("sys.argv", ["device", *given, "--batches", "1", "3", "--out", str(tmp_path)])

    device.main()

    title, _, _, _, *rows = (tmp_path / "device.md").read_text().splitlines()
    assert title.startswith("cpu, bfloat16, ")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [int(row[0]) for row in cells] == [1, 3]
    assert all(float(cell) > 0 for row in cells for cell in row)
    for rows_, captions, tokens, step, _ in cells:
        assert float(tokens) == pytest.approx(1e3 * int(rows_) / float(step), rel=0.1)
        assert float(captions) < float(tokens)
