"""Error messages for data sets that differ from their published layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from omninet.training.data import DATASETS, MissingError
from tests.training.data.trees import check_malformed, insert, message_of, read

# Examples in the test split of data sets that have all splits in one place.
IN_ONE_PLACE = {"penn": 9, "penn_trees": 9, "refcoco": 4, "refcoco_plus": 4, "refcocog": 2, "visual7w": 1}
IN_ONE_PLACE |= {"flickr30k_retrieval": 3, "coco_retrieval": 3, "speech_commands": 1}
QUESTIONS = "v2_OpenEnded_mscoco_train2014_questions.json"
TOKENS, PHOTOS = "Flickr8k.token.txt", "Flickr_8k.trainImages.txt"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("flickr8k", TOKENS),
        ("flickr8k", PHOTOS),
        ("flickr8k", "Flicker8k_Dataset"),
        ("coco", "annotations"),
        ("daquar", "qa_train.csv"),
        ("daquar", "images"),
        ("vqa2", QUESTIONS),
        ("vqa2", "v2_mscoco_train2014_annotations.json"),
        ("vqa2", "train2014"),
        ("penn", "parsed"),
        ("activities", "train.txt"),
        ("activities", "clips"),
        ("hmdb51", "splits"),
    ],
)
def test_a_missing_part_is_named(copy: Path, kind: str, name: str) -> None:
    path = copy / kind / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    message = message_of(copy, kind)

    assert message.startswith(str(path))
    assert f" is missing; expected {DATASETS[kind].layout} under {copy / kind}; get it from " in message
    assert DATASETS[kind].source in message


@pytest.mark.parametrize("kind", DATASETS)
def test_a_missing_folder_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(MissingError, match=str(tmp_path / kind)):
        read(tmp_path, kind)


@pytest.mark.parametrize(
    ("kind", "name", "change", "message"),
    [
        ("flickr8k", TOKENS, insert(3, "train0.jpg A dog"), ":3 is not 'name.jpg#k<TAB>caption'"),
        ("flickr8k", TOKENS, insert(3, "train0.jpg\tA dog"), ":3 is not 'name.jpg#k<TAB>caption'"),
        ("ewt", "en_ewt-ud-train.conllu", insert(5, "1\tword"), ":5 has 2 columns instead of CoNLL-U's 10"),
        ("daquar", "qa_train.csv", lambda text: text[text.index("\n") + 1 :], " needs the columns question, answer"),
        ("daquar", "qa_train.csv", lambda text: "", " needs the columns question, answer"),
        ("daquar", "qa_train.csv", insert(3, "what is it ?"), ":3 lacks a value"),
        ("daquar", "qa_train.csv", insert(3, "what is it ?,,image1"), ":3 lacks a value"),
        ("activities", "train.txt", insert(2, "clip.mp4"), ":2 is not '<class>/<name>'"),
    ],
)
def test_a_malformed_line_is_named(
    copy: Path, kind: str, name: str, change: Callable[[str], str], message: str
) -> None:
    check_malformed(copy, kind, name, change, message)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("flickr8k", TOKENS),
        ("flickr8k", PHOTOS),
        ("coco", "annotations/captions_train2017.json"),
        ("ewt", "en_ewt-ud-train.conllu"),
        ("penn", "parsed/mrg/wsj/00/wsj_0001.mrg"),
        ("daquar", "qa_train.csv"),
        ("vqa2", QUESTIONS),
        ("activities", "train.txt"),
        ("hmdb51", "splits/wave_test_split1.txt"),
    ],
)
def test_a_file_that_is_no_text_is_named(copy: Path, kind: str, name: str) -> None:
    (copy / kind / name).write_bytes(b"\xff\xfe\x00")

    assert message_of(copy, kind).startswith(f"{copy / kind / name} is no UTF-8 text")


@pytest.mark.parametrize("kind", DATASETS)
def test_every_data_set_can_be_read(trees: Path, kind: str) -> None:
    for split in ("train", "dev"):
        assert {e["task"] for e in read(trees, kind, split)} == {DATASETS[kind].task}


@pytest.mark.parametrize("kind", DATASETS)
def test_a_test_split_is_there_or_an_error_says_so(trees: Path, kind: str) -> None:
    if kind in IN_ONE_PLACE:
        assert len(read(trees, kind, "test")) == IN_ONE_PLACE[kind]
    elif "test" in DATASETS[kind].splits:
        assert "test" in message_of(trees, kind, "test")
    else:
        message = f"{trees / kind} has no labelled split 'test', only train, dev"
        assert message in message_of(trees, kind, "test")


@pytest.mark.parametrize("kind", DATASETS)
def test_an_unknown_split_is_refused(trees: Path, kind: str) -> None:
    assert "has no labelled split 'validation', only train, dev" in message_of(trees, kind, "validation")


@pytest.mark.parametrize("kind", DATASETS)
def test_every_data_set_says_where_it_comes_from(kind: str) -> None:
    assert DATASETS[kind].source
    assert DATASETS[kind].layout
