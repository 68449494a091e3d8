"""Labelled photos as classes, captions and questions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from omninet.training.data import DATASETS, DataError
from omninet.training.data.labelled_photos import LabelledPhoto
from omninet.training.data.thing_naming import (
    CAPTIONS,
    MOST,
    PRESENCE,
    PRESENCE_OF_MANY,
    QUESTIONS,
    name_of,
    named,
    thing_of,
    without_article,
)
from tests.training.conftest import put
from tests.training.data.trees import write_caltech101, write_labelled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_labelled(tmp_path)
    return tmp_path


def labelled(label: str = "", **probabilities: float) -> LabelledPhoto:
    """A photo that is not on disk."""
    return LabelledPhoto(Path("a.jpg"), label, probabilities or {"tench": 1.0}, ())


def test_probabilities_are_the_targets(folder: Path) -> None:
    data_set = DATASETS["imagenet"](folder)

    examples = data_set.read("train")

    assert [(example.answer, example.truth) for example in examples] == [
        ("tench", {"tench": 0.5, "pizza": 0.25}),
        ("umbrella", {"umbrella": 0.75, "tench": 0.125}),
    ]
    assert data_set.classes() == ["pizza", "tench", "umbrella"]


@pytest.mark.parametrize("names", ["pizza\npizza\n", "pizza\n\ntench\n"])
def test_a_wrong_list_of_classes_is_named(folder: Path, names: str) -> None:
    put(folder / "classes.txt", names)

    with pytest.raises(DataError, match=r"classes.txt has an empty line, or the same class twice"):
        DATASETS["imagenet"](folder).classes()


@pytest.mark.parametrize(
    "change",
    [{"photo": "../secret.jpg"}, {"photo": "/secret.jpg"}, {"probabilities": {}}, {"probabilities": {"dog": 2}}],
)
def test_a_wrong_record_is_named(folder: Path, change: dict[str, object]) -> None:
    record = {"photo": "photos/train0.jpg", "label": "", "probabilities": {"dog": 1}} | change
    put(folder / "train.jsonl", json.dumps(record))

    with pytest.raises(DataError, match=r"train.jsonl:1 is no record of a labelled photo"):
        DATASETS["imagenet"](folder).read("train")


def test_things_have_captions(folder: Path) -> None:
    pizza, umbrella = DATASETS["thing_captions"](folder).read("train")

    assert set(pizza.captions) < {text.format("a pizza") for text in CAPTIONS}
    assert set(umbrella.captions) < {text.format("an umbrella") for text in CAPTIONS}
    assert pizza.answer == pizza.captions[0]
    assert DATASETS["thing_captions"](folder).read("train") == [pizza, umbrella]


def test_captions_of_people_come_first(folder: Path) -> None:
    record = {"photo": "photos/train0.jpg", "label": "", "probabilities": {"dog": 0.1}, "captions": ["A dog ."]}
    put(folder / "train.jsonl", json.dumps(record))

    (example,) = DATASETS["thing_captions"](folder).read("train")

    assert example.captions == ("A dog .",)
    assert not DATASETS["thing_questions"](folder).read("train")


def test_things_have_questions(folder: Path) -> None:
    examples = DATASETS["thing_questions"](folder).read("train")

    what, which = examples[::2], examples[1::2]
    assert [example.answer for example in what] == ["pizza", "umbrella"]
    assert {example.question for example in what} <= set(QUESTIONS)
    for example, own in zip(which, ("a pizza", "an umbrella"), strict=True):
        assert example.question in {text.format(thing) for text in PRESENCE for thing in ("a pizza", "an umbrella")}
        assert example.question
        assert example.answer == ("yes" if own in example.question else "no")
        assert example.answer_type == "yes/no"


def test_half_of_the_things_asked_for_are_there(tmp_path: Path) -> None:
    things = ("pizza", "umbrella", "sunglasses", "broccoli")
    records = [
        {"photo": f"photos/{i}.jpg", "label": things[i % 4], "probabilities": {"tench": 1.0}} for i in range(400)
    ]
    put(tmp_path / "train.jsonl", "".join(f"{json.dumps(record)}\n" for record in records))

    asked = DATASETS["thing_questions"](tmp_path).read("train")[1::2]

    counts = Counter(example.answer for example in asked)
    assert 200 < counts["yes"] < 300  # of the others a quarter is, by chance, the photo's own thing
    many = [example.question for example in asked if example.question and "sunglasses" in example.question]
    assert set(many) == {text.format("sunglasses") for text in PRESENCE_OF_MANY}


@pytest.mark.parametrize(
    ("label", "name", "answer"),
    [
        ("dalmatian", "a dog", "dog"),
        ("Egyptian cat", "a cat", "cat"),
        ("umbrella", "an umbrella", "umbrella"),
        ("pizza", "a pizza", "pizza"),
        ("sunglass", "sunglasses", "sunglasses"),
        ("sea", "the sea", "sea"),
        ("car_side", "a car", "car"),
        ("metal", "", ""),
    ],
)
def test_names(label: str, name: str, answer: str) -> None:
    assert name_of(label) == name
    assert without_article(name) == answer


def test_only_a_sure_class_names_a_photo() -> None:
    assert thing_of(labelled(umbrella=0.9, tench=0.1)) == "an umbrella"
    assert thing_of(labelled(umbrella=0.6, tench=0.4)) == ""
    assert thing_of(labelled("pizza", umbrella=0.9)) == "a pizza"
    assert thing_of(labelled("metal", umbrella=0.9)) == ""


def test_no_thing_is_named_too_often() -> None:
    assert len(named([labelled("pizza")] * (MOST + 5) + [labelled("umbrella")])) == MOST + 1


def test_caltech101_has_captions_and_questions(tmp_path: Path) -> None:
    write_caltech101(tmp_path)

    (captioned,) = DATASETS["caltech101_captions"](tmp_path).read("train")  # "Faces" has no name
    what, which = DATASETS["caltech101_questions"](tmp_path).read("dev")

    assert set(captioned.captions) < {text.format("an airplane") for text in CAPTIONS}
    assert (captioned.task, what.task) == ("caption", "vqa")
    assert (what.answer, which.answer) == ("airplane", "yes")
