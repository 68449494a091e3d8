"""Caltech-101 with lists of its splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.training.data import DATASETS, DataError
from tests.training.conftest import put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "train.txt", b"Faces/image_1.jpg\nairplanes/image_2.jpg\n\nwindsor_chair/a b.jpg\n")
    put(tmp_path / "dev.txt", b"Faces/image_3.jpg\n")
    (tmp_path / "101_ObjectCategories").mkdir()
    return tmp_path


def test_the_class_is_the_folder(folder: Path) -> None:
    examples = DATASETS["caltech101"](folder).read("train")

    assert [example.answer for example in examples] == ["faces", "airplanes", "windsor chair"]
    assert examples[2].image == folder / "101_ObjectCategories" / "windsor_chair" / "a b.jpg"
    assert len(DATASETS["caltech101"](folder).read("dev")) == 1


@pytest.mark.parametrize("line", ["image.jpg", "../secret/a.jpg", "a/b/c.jpg", "../a.jpg"])
def test_other_lines_are_named(folder: Path, line: str) -> None:
    put(folder / "train.txt", f"Faces/image_1.jpg\n{line}\n".encode())

    with pytest.raises(DataError, match=r"train.txt:2 is not '<class>/<name>.jpg'"):
        DATASETS["caltech101"](folder).read("train")
