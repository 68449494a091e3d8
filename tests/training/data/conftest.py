"""Data trees that may be damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.training.data.box_trees import BOX_WRITERS
from tests.training.data.pair_trees import PAIR_WRITERS
from tests.training.data.trees import WRITERS


@pytest.fixture(scope="session")
def trees(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every data set, in a folder of its name."""
    folder = tmp_path_factory.mktemp("trees")
    shutil.copytree(data, folder, dirs_exist_ok=True)
    shutil.copytree(data / "ewt", folder / "conllu")
    for kind, write in {**WRITERS, **PAIR_WRITERS, **BOX_WRITERS}.items():
        write(folder / kind)
    return folder


@pytest.fixture
def copy(trees: Path, tmp_path: Path) -> Path:
    """Return a copy of the data that the test may change."""
    return Path(shutil.copytree(trees, tmp_path / "copy"))
