"""Tests that only the model process of a server imports torch."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil

from omninet.app.processes.start import MEDIA, MODEL
from tests.app.local.test_process import serving
from tests.samples import jpeg_bytes


def maps_torch(process: psutil.Process) -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")


def test_only_the_model_process_loads_torch(toy_checkpoint: Path, tmp_path: Path) -> None:
    with serving(toy_checkpoint, tmp_path / "log") as server:
        server.until_ready()
        http = psutil.Process(server.process.pid)
        files = {"image": ("photo.jpg", jpeg_bytes(300, 200))}
        for data in ({}, {"explain": "true"}, {"format": "png"}):
            httpx.post(f"{server.address}/caption", files=files, data=data, timeout=60).raise_for_status()
        assert server.get("/metrics").status_code == 200

        (model,) = [each for each in http.children(recursive=True) if each.name() == MODEL]
        others = [http, *(each for each in http.children(recursive=True) if each != model)]

        assert maps_torch(model)
        assert [each.name() for each in others if maps_torch(each)] == []
        assert [each.name() for each in others].count(MEDIA) == 2
