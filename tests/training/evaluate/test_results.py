"""The files that evaluation servers take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from omninet.training.data import Example
from omninet.training.evaluate.results import write_results
from tests.training.evaluate.conftest import answered, captions, labels, tags


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_captions(tmp_path: Path) -> None:
    examples = [
        Example("caption", {"image": Path("COCO_val2014_000000000042.jpg")}, image_id="42"),
        Example("caption", {"image": Path("dog.jpg")}),
    ]

    write_results(tmp_path / "new", [answered([], examples, captions("a naïve dog", "a cat"))], "dev")

    assert read(tmp_path / "new" / "caption_dev.json") == [
        {"image_id": 42, "caption": "a naïve dog"},
        {"image_id": "dog", "caption": "a cat"},
    ]


def test_answers(tmp_path: Path) -> None:
    examples = [
        Example("vqa", {"image": Path("x.jpg"), "question": "what?"}, question_id="262148000"),
        Example("vqa", {"image": Path("x.jpg"), "question": "who?"}),
    ]

    write_results(tmp_path, [answered([], examples, labels("net", "man"))], "test")

    assert read(tmp_path / "vqa_test.json") == [
        {"question_id": 262148000, "answer": "net"},
        {"question_id": 1, "answer": "man"},
    ]


def test_a_further_data_set_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = answered([], [Example("vqa", {"image": Path("x.jpg"), "question": "what?"})], labels("net"))
    further = replace(first, title="caption_qa", is_further=True, answers=labels("man"))

    write_results(tmp_path, [first, further], "dev")

    assert read(tmp_path / "vqa_dev.json")[0]["answer"] == "net"
    assert read(tmp_path / "vqa_caption_qa_dev.json")[0]["answer"] == "man"


def test_tasks_without_a_server_write_nothing(tmp_path: Path) -> None:
    pos = answered([], [Example("pos", {"tokens": ("x",)}, tags=("NN",))], tags(["NN"]))
    activity = answered([], [Example("activity", {"video": Path("x.mp4")})], labels("run"))

    write_results(tmp_path, [pos, activity], "dev")

    assert list(tmp_path.iterdir()) == []
