"""GQA and the questions of Visual Genome."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import put
from tests.training.data.trees import message_of, read


def test_gqa(trees: Path) -> None:
    train, dev = read(trees, "gqa"), read(trees, "gqa", "dev")

    assert train[0]["inputs"] == {"image": trees / "gqa" / "images" / "ntrain.jpg", "question": "Is it train?"}
    assert [train[0]["answer"], train[0]["question_id"]] == ["yes", "0123"]
    assert dev[0]["question"] == "Is it val?"


def test_visual_genome_qa(trees: Path) -> None:
    train, dev = read(trees, "visual_genome_qa"), read(trees, "visual_genome_qa", "dev")

    folder = trees / "visual_genome_qa"
    assert [e["image"] for e in train] == [folder / "VG_100K" / "1.jpg", folder / "VG_100K_2" / "2.jpg"]
    assert [e["image"].name for e in dev] == ["37.jpg"]
    assert {e["answer"] for e in train} == {"a dog"}
    assert all(e["image"].is_file() for e in (*train, *dev))


@pytest.mark.parametrize(
    ("kind", "name", "content", "message"),
    [
        ("gqa", "train_balanced_questions.json", "{", " is no file of GQA questions"),
        ("gqa", "train_balanced_questions.json", "[]", " is no file of GQA questions"),
        ("gqa", "train_balanced_questions.json", '{"7": {"question": "a"}}', ", question 7 is no file of GQA"),
        ("gqa", "train_balanced_questions.json", '{"7": []}', ", question 7 is no file of GQA questions"),
        ("visual_genome_qa", "question_answers.json", "[", " is no file of Visual Genome questions"),
        ("visual_genome_qa", "question_answers.json", "3", ", photo 0 is no file of Visual Genome questions"),
        ("visual_genome_qa", "question_answers.json", '[{"id": 1}]', ", photo 0 is no file of Visual Genome"),
        ("visual_genome_qa", "question_answers.json", '[{"id": 1, "qas": [{}]}]', ", photo 0 is no file of Visual"),
    ],
)
def test_a_malformed_file_of_questions_is_named(copy: Path, kind: str, name: str, content: str, message: str) -> None:
    put(copy / kind / name, content)

    assert message_of(copy, kind).startswith(f"{copy / kind / name}{message}")
