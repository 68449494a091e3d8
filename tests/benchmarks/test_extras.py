"""Benchmark of explanations and streams, at a service with the toy model."""

from __future__ import annotations

import pytest

from benchmarks import extras
from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.predictor import Predictor
from tests.app.conftest import listening


def test_a_table(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings()
    with listening(create_app(settings, Engine([toy_predictor])), settings) as (host, port):
        monkeypatch.setattr("sys.argv", ["extras", f"http://{host}:{port}", "--rounds", "2"])

        extras.main()

    _, _, *lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in rows] == [f"`{asked}`" for asked in extras.ASKED]
    assert all(float(cell) > 0 for row in rows for cell in row[1:5])
    assert [row[5] == "-" for row in rows] == [False, False, True, True], "answers are no streams"
