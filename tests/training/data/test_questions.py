"""DAQUAR and VQA v2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import put
from tests.training.data.trees import VOTES, message_of, read, write_vqa2

QUESTIONS = "v2_OpenEnded_mscoco_train2014_questions.json"
ANNOTATIONS = "v2_mscoco_train2014_annotations.json"


def test_daquar(data: Path) -> None:
    train = read(data, "daquar")

    assert len(train) == 4
    assert train[2]["image"] == data / "daquar" / "images" / "image2.jpg"
    assert train[2]["question"] == "what colour, then, is it ?"
    assert train[2]["answer"] == "blue"


def test_daquar_takes_a_list_of_answers_as_one(copy: Path) -> None:
    put(copy / "daquar" / "qa_train.csv", 'image_id,question,answer\nimage0,what is it ?,"chair, table"\n')

    assert read(copy, "daquar")[0]["answer"] == "chair, table"


@pytest.mark.parametrize("photos", ["", "images"])
def test_vqa2(tmp_path: Path, photos: str) -> None:
    write_vqa2(tmp_path / "vqa2", photos)

    train, dev = read(tmp_path, "vqa2"), read(tmp_path, "vqa2", "dev")

    assert [e["question_id"] for e in train[:3]] == ["9000", "9001", "25000"]
    assert [len(train), len(dev)] == [8, 4]
    assert [e["answer"] for e in dev] == ["white", "blue"] * 2
    photo = tmp_path / "vqa2" / photos / "val2014" / "COCO_val2014_000000000073.jpg"
    inputs = {"image": photo, "question": "What colour is door 73?"}
    assert dev[1] == {
        "task": "vqa",
        "inputs": inputs,
        **inputs,
        "answer": "blue",
        "tags": (),
        "captions": (),
        "answers": VOTES,
        "answer_type": "other",
        "image_id": "73",
        "question_id": "73001",
        "truth": None,
    }
    assert all(e["image"].is_file() for e in [*train, *dev])


def damage(path: Path, change: Callable[[Any], object]) -> None:
    """Change the content of a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (QUESTIONS, lambda content: content["questions"].pop(3)),
        (ANNOTATIONS, lambda content: content["annotations"].pop(-4)),
    ],
)
def test_a_question_in_one_file_only_is_named(copy: Path, name: str, change: Callable[[Any], object]) -> None:
    damage(copy / "vqa2" / name, change)

    assert "question 25001 of train2014 is missing in either the questions" in message_of(copy, "vqa2")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (QUESTIONS, "question", None),
        (QUESTIONS, "image_id", "nine"),
        (ANNOTATIONS, "answers", None),
        (ANNOTATIONS, "answers", [{}]),
        (ANNOTATIONS, "answer_type", None),
        (ANNOTATIONS, "multiple_choice_answer", None),
    ],
)
def test_a_malformed_entry_is_an_error(copy: Path, name: str, key: str, value: object) -> None:
    def change(content: Any) -> None:
        entry = next(iter(content.get("questions") or content["annotations"]))
        entry.pop(key)
        entry.update({key: value} if value else {})

    damage(copy / "vqa2" / name, change)

    assert "questions or annotations of train2014 are malformed" in message_of(copy, "vqa2")


@pytest.mark.parametrize("content", ["{", "[]", '{"questions": [{}]}', '{"questions": [1]}'])
def test_a_malformed_file_is_named(copy: Path, content: str) -> None:
    put(copy / "vqa2" / QUESTIONS, content)

    assert message_of(copy, "vqa2").startswith(f"{copy / 'vqa2' / QUESTIONS} is no VQA v2 file of questions")
