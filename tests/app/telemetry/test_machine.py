"""Tests of the facts about the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.app.telemetry.machine import cpu_name, memory

KIB = 1024


@pytest.fixture
def information(tmp_path: Path) -> Path:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 16000 kB\nMemFree: 10 kB\nMemAvailable: 9000 kB\n")
    return file


def test_memory_without_a_container(information: Path, tmp_path: Path) -> None:
    assert memory(information, tmp_path)[1] == 9000 * KIB


@pytest.mark.parametrize(("limit", "expected"), [("max", 9000 * KIB), ("1048576", 1048576 - 1000), ("500", 0)])
def test_memory_of_a_container(information: Path, tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("1000\n")
    total, available = memory(information, tmp_path)
    assert available == expected
    assert limit == "max" or total == int(limit)


def test_name_of_the_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Abacus 9000\n")
    assert cpu_name(file) == "Abacus 9000"
    assert cpu_name(tmp_path / "missing")
