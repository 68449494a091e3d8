"""Data sets in their public layouts, and what is said of those that are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import SENTENCES, put
from training.data import DATASETS, DataError, DataSet

KINDS = ["flickr8k", "ewt", "daquar", "activities"]


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """A data tree that may be damaged."""
    return Path(shutil.copytree(data, tmp_path / "copy"))


def read(folder: Path, kind: str, split: str = "train") -> list[dict[str, object]]:
    """Examples as values."""
    return [vars(example) for example in DATASETS[kind](folder / kind).read(split)]


def message_of(folder: Path, kind: str) -> str:
    """What the error says that reading raises."""
    with pytest.raises(DataError) as caught:
        DATASETS[kind](folder / kind).read("train")
    return str(caught.value)


def test_flickr8k(data: Path) -> None:
    train, dev = read(data, "flickr8k"), read(data, "flickr8k", "dev")

    assert [len(train), len(dev)] == [4, 2]
    assert train[1]["image"] == data / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg"
    assert train[1]["captions"] == ("A big field of green .", "All is green here .")
    assert train[1]["answer"] == "A big field of green ."
    assert all(Path(str(e["image"])).is_file() for e in [*train, *dev])


def test_ewt(data: Path) -> None:
    train, dev = read(data, "ewt"), read(data, "ewt", "dev")

    assert [len(train), len(dev)] == [9, 2]
    assert [list(zip(e["words"], e["tags"], strict=True)) for e in train[:3]] == SENTENCES  # type: ignore[call-overload]


def test_a_treebank_without_a_last_empty_line(copy: Path) -> None:
    path = copy / "ewt" / "en_ewt-ud-train.conllu"
    path.write_text(path.read_text().rstrip("\n"))

    assert len(read(copy, "ewt")) == 9


def test_daquar(data: Path) -> None:
    train = read(data, "daquar")

    assert len(train) == 4
    assert train[2]["image"] == data / "daquar" / "images" / "image2.jpg"
    assert train[2]["question"] == "what colour, then, is it ?"
    assert train[2]["answer"] == "blue"


def test_daquar_takes_a_list_of_answers_as_one(copy: Path) -> None:
    put(copy / "daquar" / "qa_train.csv", 'image_id,question,answer\nimage0,what is it ?,"chair, table"\n')

    assert read(copy, "daquar")[0]["answer"] == "chair, table"


def test_activities(data: Path) -> None:
    train = read(data, "activities")

    assert [e["answer"] for e in train] == ["run fast", "wave", "run fast", "wave"]
    assert train[0]["video"] == data / "activities" / "clips" / "run_fast" / "train0.mp4"


def test_coco(tmp_path: Path) -> None:
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in (7, 8, 9)],
        "annotations": [
            {"image_id": 9, "caption": "A cat."},
            {"image_id": 7, "caption": " A dog.\n"},
            {"image_id": 9, "caption": "A grey cat."},
        ],
    }
    put(tmp_path / "coco" / "annotations" / "captions_val2017.json", json.dumps(content))
    (tmp_path / "coco" / "val2017").mkdir()

    examples = read(tmp_path, "coco", "dev")

    assert [e["captions"] for e in examples] == [("A dog.",), ("A cat.", "A grey cat.")]
    assert examples[1]["image"] == tmp_path / "coco" / "val2017" / "9.jpg"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("flickr8k", "Flickr8k.token.txt"),
        ("flickr8k", "Flickr_8k.trainImages.txt"),
        ("flickr8k", "Flicker8k_Dataset"),
        ("daquar", "qa_train.csv"),
        ("daquar", "images"),
        ("activities", "train.txt"),
        ("activities", "clips"),
    ],
)
def test_a_missing_part_is_named(copy: Path, kind: str, name: str) -> None:
    path = copy / kind / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    message = message_of(copy, kind)

    assert message.startswith(f"{path} is missing; expected {DATASETS[kind].layout} under {copy / kind}")
    assert DATASETS[kind].source in message


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_folder_is_named(tmp_path: Path, kind: str) -> None:
    assert str(tmp_path / kind) in message_of(tmp_path, kind)


def test_a_treebank_needs_one_file_a_split(copy: Path) -> None:
    put(copy / "ewt" / "other-train.conllu", "")

    assert message_of(copy, "ewt").startswith(f"{copy / 'ewt'} holds 2 files *train.conllu instead of one")


def insert(line: int, text: str) -> Callable[[str], str]:
    """A change that puts a line into a file."""

    def change(content: str) -> str:
        lines = content.splitlines()
        return "\n".join([*lines[: line - 1], text, *lines[line - 1 :]]) + "\n"

    return change


@pytest.mark.parametrize(
    ("kind", "name", "change", "message"),
    [
        ("flickr8k", "Flickr8k.token.txt", insert(3, "train0.jpg A dog"), ":3 is not 'name.jpg#k<TAB>caption'"),
        ("flickr8k", "Flickr8k.token.txt", insert(3, "train0.jpg\tA dog"), ":3 is not 'name.jpg#k<TAB>caption'"),
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
    path = copy / kind / name
    path.write_text(change(path.read_text()))

    assert message_of(copy, kind).startswith(f"{path}{message}")


def test_a_photo_without_caption_is_named(copy: Path) -> None:
    put(copy / "flickr8k" / "Flickr_8k.trainImages.txt", "train0.jpg\nhat.jpg\n")

    assert message_of(copy, "flickr8k") == f"{copy / 'flickr8k' / 'Flickr8k.token.txt'} has no caption of hat.jpg"


@pytest.mark.parametrize("content", ["{", "[]", '{"images": []}', '{"images": [], "annotations": [{}]}'])
def test_a_malformed_coco_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "coco" / "annotations" / "captions_train2017.json"
    put(path, content)
    (tmp_path / "coco" / "train2017").mkdir()

    assert message_of(tmp_path, "coco").startswith(f"{path} is no COCO caption file")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("flickr8k", "Flickr8k.token.txt"),
        ("flickr8k", "Flickr_8k.trainImages.txt"),
        ("ewt", "en_ewt-ud-train.conllu"),
        ("daquar", "qa_train.csv"),
        ("activities", "train.txt"),
    ],
)
def test_a_file_that_is_no_text_is_named(copy: Path, kind: str, name: str) -> None:
    put(copy / kind / name, b"\xff\xfe\x00")

    assert message_of(copy, kind).startswith(f"{copy / kind / name} is no UTF-8 text")


@pytest.mark.parametrize("kind", DATASETS)
def test_every_data_set_says_where_it_comes_from(kind: str) -> None:
    dataset: type[DataSet] = DATASETS[kind]

    assert dataset.task
    assert dataset.source
    assert dataset.layout
