"""What HTTP and the media processes need of modalities, outputs and tasks is imported without torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIGHT = [
    "omninet.model.explain.explanation",
    "omninet.model.extensions",
    "omninet.model.explain.heatmaps",
    "omninet.model.job",
    "omninet.model.media.images",
    "omninet.model.media.videos",
    "omninet.model.modalities",
    "omninet.model.modalities.audio.modality",
    "omninet.model.modalities.language.modality",
    "omninet.model.modalities.vision.fit",
    "omninet.model.modalities.vision.modality",
    "omninet.model.model_config",
    "omninet.model.outputs",
    "omninet.model.outputs.label.output",
    "omninet.model.outputs.tags.output",
    "omninet.model.outputs.text.output",
    "omninet.model.processor",
    "omninet.model.rows",
    "omninet.model.tasks",
]
HEAVY = {"peripheral.py", "head.py", "chain.py", "compact.py", "filters.py", "residual.py"}
LINES = re.compile(r"^(import|from) torch", re.MULTILINE)


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_does_not_import_torch(module: str) -> None:
    program = f"import sys, {module}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False"]


@pytest.mark.parametrize("folder", ["modalities", "outputs"])
def test_only_files_of_networks_import_torch(folder: str) -> None:
    files = (ROOT / "model" / folder).rglob("*.py")
    assert {file.name for file in files if LINES.search(file.read_text(encoding="utf-8"))} <= HEAVY
