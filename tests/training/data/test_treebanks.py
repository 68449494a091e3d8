"""CoNLL-U treebanks and the Penn Treebank."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from omninet.training.data import MissingError
from omninet.training.data.penn import Penn
from tests.training.conftest import SENTENCES, put
from tests.training.data.trees import message_of, read, write_penn

TRUTHS = [r"(S (NP The dog) (VP runs (S (PRN -LRB- 1\/2 -RRB-))) .)", "(NP `` Hi '')", "(S (NP 0))"]


def pairs(example: dict[str, Any]) -> list[tuple[str, str]]:
    """Words and their tags."""
    return list(zip(example["tokens"], example["tags"], strict=True))


@pytest.mark.parametrize("kind", ["ewt", "conllu"])
def test_conllu(trees: Path, kind: str) -> None:
    train, dev = read(trees, kind), read(trees, kind, "dev")

    assert [len(train), len(dev)] == [9, 2]
    assert [pairs(e) for e in train[:3]] == SENTENCES


def test_a_treebank_without_a_last_empty_line(copy: Path) -> None:
    path = copy / "ewt" / "en_ewt-ud-train.conllu"
    path.write_text(path.read_text().rstrip("\n"))

    assert len(read(copy, "ewt")) == 9


def test_a_treebank_needs_one_file_a_split(copy: Path) -> None:
    put(copy / "ewt" / "other-train.conllu", "")

    assert message_of(copy, "ewt").startswith(f"{copy / 'ewt'} holds 2 files *train.conllu instead of one")


def test_penn_words_have_normal_spelling(trees: Path) -> None:
    first, second, third = read(trees, "penn")[:3]

    assert pairs(first) == [
        ("The", "DT"),
        ("dog", "NN"),
        ("runs", "VBZ"),
        ("(", "-LRB-"),
        ("1/2", "NN"),
        (")", "-RRB-"),
        (".", "."),
    ]
    assert pairs(second) == [('"', "``"), ("Hi", "NNP"), ('"', "''")]
    assert pairs(third) == [("0", "CD")]


@pytest.mark.parametrize("root", ["parsed/mrg/wsj", "wsj", ""])
def test_penn_sections(tmp_path: Path, root: str) -> None:
    write_penn(tmp_path / "penn", root)

    sections = {
        split: [int(e["tokens"][0]) for e in read(tmp_path, "penn", split)[2::3]] for split in ("train", "dev", "test")
    }

    assert sections == {"train": list(range(19)), "dev": [19, 20, 21], "test": [22, 23, 24]}


def test_penn_files_in_capitals(copy: Path) -> None:
    folder = copy / "penn" / "parsed" / "mrg" / "wsj" / "20"
    (folder / "wsj_2002.mrg").rename(folder / "WSJ_2002.MRG")
    put(folder / "README", "not a tree")

    assert len(read(copy, "penn", "dev")) == 9


def test_a_missing_section_is_named(copy: Path) -> None:
    shutil.rmtree(copy / "penn" / "parsed" / "mrg" / "wsj" / "07")

    assert message_of(copy, "penn").startswith(f"{copy}/penn/parsed/mrg/wsj/07 or ")
    assert read(copy, "penn", "dev")


def test_an_empty_section_is_named(copy: Path) -> None:
    for path in (copy / "penn" / "parsed" / "mrg" / "wsj" / "07").iterdir():
        path.unlink()

    assert message_of(copy, "penn").startswith(f"{copy}/penn/parsed/mrg/wsj/07 holds no *.mrg; expected")


def test_the_same_sentences_have_trees(trees: Path) -> None:
    tagged, parsed = read(trees, "penn"), read(trees, "penn_trees")

    assert [pairs(e) for e in parsed] == [pairs(e) for e in tagged]
    assert [e["truth"] for e in parsed[:3]] == TRUTHS


def test_a_treebank_in_one_file(trees: Path) -> None:
    train, dev = read(trees, "ptb_sample"), read(trees, "ptb_sample", "dev")

    assert [e["truth"] for e in train] == TRUTHS[:2]
    assert [e["truth"] for e in dev] == ["(UH Hi)"]


def test_penn_refers_to_conllu_for_other_treebanks(trees: Path) -> None:
    with pytest.raises(MissingError, match="in CoNLL-U, name the data set conllu"):
        Penn(trees / "ewt").read("train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("( (S (NN dog) )\n", " line 1: a closing bracket of this tree is missing"),
        ("( (NN dog) ))\n( (NN cat) )", " line 1: expected a bracketed tree, found ')'"),
        ("( (NN dog) )\n( (NP the dog) )", " the word 'the' has no tag"),
        ("( (NN dog) )\ndog", " line 2: expected a bracketed tree, found 'dog'"),
    ],
)
def test_a_malformed_tree_is_named(copy: Path, content: str, message: str) -> None:
    path = copy / "penn" / "parsed" / "mrg" / "wsj" / "03" / "wsj_0301.mrg"
    put(path, content)

    assert message_of(copy, "penn") == f"{path}:{message}"
