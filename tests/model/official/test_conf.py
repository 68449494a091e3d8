"""Their vocabularies."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.errors import CheckpointError
from omninet.model.official.conf import read_vocabularies
from tests.model.official.files import write_conf

CLASSES = {"pos": 12, "activity": 4, "caption": 9, "vqa": 4}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return write_conf(tmp_path / "conf")


@pytest.mark.slow
def test_names_in_the_order_of_their_ids(conf: Path) -> None:
    found = read_vocabularies(conf, CLASSES)

    assert found.keys() == {"pos", "activity", "vqa"}
    assert found["pos"][:3] == ("NNP", ",", "CD")
    assert found["pos"][11] == "(class 11: unused)"
    assert found["activity"] == ("brush_hair", "cartwheel", "catch", "(class 3: unused)")
    assert found["vqa"] == ("yes", "no", "2", "red")


@pytest.mark.parametrize(
    ("name", "content", "task", "classes", "named"),
    [
        ("penn_vocab.json", None, "pos", 12, "penn_vocab.json cannot be read"),
        ("penn_vocab.json", "[]", "pos", 12, "penn_vocab.json must hold"),
        ("penn_vocab.json", '{"id_to_tag": {"a": "NN"}}', "pos", 12, "penn_vocab.json must hold"),
        ("penn_vocab.json", '{"id_to_tag": {"12": "NN"}}', "pos", 12, "names class 12, the network has 12"),
        ("hmdblabels.txt", "0\n", "activity", 4, "hmdblabels.txt must have a number and a name"),
        ("hmdblabels.txt", "run 0\n", "activity", 4, "hmdblabels.txt must have a number and a name"),
        ("hmdblabels.txt", None, "activity", 4, "hmdblabels.txt cannot be read"),
        ("vqa_vocab.pkl", None, "vqa", 4, "vqa_vocab.pkl does not exist"),
    ],
)
def test_an_invalid_file_is_named(
    conf: Path, name: str, content: str | None, task: str, classes: int, named: str
) -> None:
    (conf / name).unlink()
    if content is not None:
        (conf / name).write_text(content)

    with pytest.raises(CheckpointError, match=named):
        read_vocabularies(conf, {task: classes})
