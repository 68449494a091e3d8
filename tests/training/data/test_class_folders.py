"""Photos with one class each."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.training.data import DATASETS, DataError
from tests.training.data.trees import check_malformed, insert, read


def named(folder: Path, kind: str, split: str = "train") -> list[tuple[str, str]]:
    return [(e["image"].relative_to(folder / kind).as_posix(), e["answer"]) for e in read(folder, kind, split)]


def test_a_folder_for_each_class(trees: Path) -> None:
    assert named(trees, "class_folders") == [
        ("train/cup/c.jpg", "cup"),
        ("train/great_owl/a.jpg", "great owl"),
        ("train/great_owl/b.PNG", "great owl"),
    ]
    assert named(trees, "class_folders", "dev") == [("val/cup/d.jpg", "cup")]


def test_ilsvrc_names_classes_by_their_lists(trees: Path) -> None:
    assert DATASETS["ilsvrc2012"](trees / "ilsvrc2012").classes() == ["crane (0)", "cup", "crane (2)"]
    assert named(trees, "ilsvrc2012") == [("train/n01/a.JPEG", "crane (0)"), ("train/n03/b.JPEG", "crane (2)")]
    assert named(trees, "ilsvrc2012", "dev") == [("val/v1.JPEG", "cup"), ("val/v2.JPEG", "crane (2)")]


@pytest.mark.parametrize("line", ["v3.JPEG", "v3.JPEG 3", "../v3.JPEG 1"])
def test_a_line_that_is_malformed(copy: Path, line: str) -> None:
    path = copy / "ilsvrc2012" / "val.txt"
    path.write_text(insert(1, line)(path.read_text()))

    with pytest.raises(DataError, match="must be a photo and its class below 3"):
        DATASETS["ilsvrc2012"](copy / "ilsvrc2012").read("dev")


def test_a_synset_without_a_name(copy: Path) -> None:
    check_malformed(copy, "ilsvrc2012", "synset_words.txt", insert(1, "n00"), ": synset 'n00' has no name")
