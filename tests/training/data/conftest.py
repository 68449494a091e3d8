"""Data trees that may be damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.training.data.box_trees import BOX_WRITERS
from tests.training.data.pair_trees import PAIR_WRITERS
from tests.training.data.question_trees import QUESTION_WRITERS
from tests.training.data.trees import WRITERS


@pytest.fixture(scope="session")
def trees(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every data set, in a folder of its name."""
    folder = tmp_path_factory.mktemp("trees")
    shutil.copytree(data, folder, dirs_exist_ok=True)
    shutil.copytree(data / "ewt", folder / "conllu")
    for kind, write in (WRITERS | PAIR_WRITERS | BOX_WRITERS | QUESTION_WRITERS).items():
        write(folder / kind)
    return folder


@pytest.fixture
def copy(trees: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a copy of the data that the test may change: of one data set, if the test has a parameter ``kind``."""
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind")
    shutil.copytree(trees / (kind or ""), tmp_path / "copy" / (kind or ""))
    return tmp_path / "copy"
