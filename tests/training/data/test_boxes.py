"""Flickr30k Entities, RefCOCO, Visual7W and GuessWhat."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from omninet.model.outputs.boxes.answer import PlacedBox, Places
from omninet.training.data import DATASETS
from tests.training.conftest import put
from tests.training.data.trees import message_of, read


def test_flickr30k_entities(trees: Path) -> None:
    train, dev = read(trees, "flickr30k_entities"), read(trees, "flickr30k_entities", "dev")

    left, right = (0, 0, 0.5, 1), (0.5, 0.5, 1, 1)
    assert [(e["phrase"], e["truth"]) for e in train] == [("Two girls", (left, right)), ("a red ball", (right,))]
    assert dev[0]["image"] == trees / "flickr30k_entities" / "flickr30k_images" / "2.jpg"


@pytest.mark.parametrize("content", ["<annotation>", "<annotation/>", "<annotation><size/></annotation>"])
def test_a_malformed_annotation_is_named(copy: Path, content: str) -> None:
    path = copy / "flickr30k_entities" / "Annotations" / "1.xml"
    put(path, content)

    assert message_of(copy, "flickr30k_entities").startswith(f"{path} is no annotation of Flickr30k Entities")


def test_an_annotation_with_entities_that_multiply_is_refused(copy: Path) -> None:
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 1000}">{levels}]><annotation>&e9;</annotation>'
    put(copy / "flickr30k_entities" / "Annotations" / "1.xml", bomb)

    assert "1.xml is no annotation of Flickr30k Entities" in message_of(copy, "flickr30k_entities")


@pytest.mark.parametrize("kind", ["refcoco", "refcoco_plus", "refcocog"])
def test_refcoco(trees: Path, kind: str) -> None:
    train, dev, test = (read(trees, kind, split) for split in ("train", "dev", "test"))

    assert [e["phrase"] for e in train] == ["the 1. thing", "the 2. thing"]
    assert train[0]["truth"] == ((0.25, 0.5, 0.75, 1.0),)
    # The photo itself, not the name of the cut-out in the references.
    assert dev[0]["image"] == trees / kind / "train2014" / "COCO_train2014_000000000002.jpg"
    assert {e["image_id"] for e in test} == ({"3"} if kind == "refcocog" else {"3", "4"})


def test_the_test_parts_of_refcoco(trees: Path) -> None:
    assert [[e["question_id"] for e in read(trees, "refcoco", part)] for part in ("testA", "testB")] == [
        ["31", "32"],
        ["41", "42"],
    ]


@pytest.mark.parametrize(
    ("references", "message"),
    [
        (5, " is no file of RefCOCO"),
        (["x"], ", reference 0 is no file of RefCOCO"),
        ([{"split": "val"}, {"split": "train", "image_id": 99}], ", reference 1 is no file of RefCOCO"),
    ],
)
def test_malformed_references_are_named(copy: Path, references: object, message: str) -> None:
    path = copy / "refcoco" / "refs(unc).p"
    put(path, pickle.dumps(references))

    assert message_of(copy, "refcoco").startswith(f"{path}{message}")


def test_malformed_instances_are_named(copy: Path) -> None:
    path = copy / "refcoco" / "instances.json"
    put(path, '{"images": [], "annotations": [{"id": 1, "image_id": 1, "bbox": [0, 0, 1, 1]}]}')

    assert message_of(copy, "refcoco").startswith(f"{path} is no file of RefCOCO")


def test_visual7w(trees: Path) -> None:
    train, dev = read(trees, "visual7w"), read(trees, "visual7w", "dev")

    # From left to right; the box that begins left of the photo is cut.
    assert [box[0] for box in train[0]["candidates"]] == [0, 10, 20, 30]
    assert train[0]["candidates"][0] == (0, 0, 10, 15)
    assert train[0]["truth"] == ((0.5, 0, 0.775, 0.5),)
    assert [e["image"].name for e in (*train, *dev)] == ["v7w_1.jpg", "v7w_2.jpg"]
    assert dev[0]["phrase"] == "Which one?"


def test_a_photo_of_visual7w_that_cannot_be_read_is_named(copy: Path) -> None:
    path = copy / "visual7w" / "images" / "v7w_1.jpg"
    put(path, b"no photo")
    assert message_of(copy, "visual7w").startswith(f"{path} is no photo")

    path.unlink()
    assert message_of(copy, "visual7w").startswith(f"{path} is missing")


def test_guesswhat(trees: Path) -> None:
    train, dev = read(trees, "guesswhat"), read(trees, "guesswhat", "dev")

    assert [e["phrase"] for e in train] == ["is it red? no left? yes"]
    assert train[0]["candidates"] == ((0, 0, 10, 15), (10, 0, 20, 15), (20, 0, 30, 15))
    assert train[0]["truth"] == ((0.25, 0, 0.5, 0.5),)
    assert dev[0]["image"] == trees / "guesswhat" / "val2014" / "COCO_val2014_000000000009.jpg"


@pytest.mark.parametrize("kind", ["visual7w", "guesswhat"])
def test_the_likeliest_candidate_must_be_the_right_one(trees: Path, kind: str) -> None:
    dataset = DATASETS[kind](trees / kind)
    examples = dataset.read("train")[:1]
    right, wrong = examples[0].truth[0], (0.9, 0.9, 1.0, 1.0)

    def said(box: tuple[float, float, float, float]) -> list[Places]:
        return [Places(boxes=(PlacedBox(box, box, 0.5),), absent_probability=0.0)]

    assert dataset.metrics(examples, said(right)) == {"accuracy among candidates": 100}
    assert dataset.metrics(examples, said(wrong)) == {"accuracy among candidates": 0}


def compressed(record: object) -> bytes:
    return gzip.compress(json.dumps(record).encode() + b"\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", " is no compressed UTF-8 text"),
        (gzip.compress(b"{}\n" * 100)[:-12], " is no compressed UTF-8 text"),
        (gzip.compress(b"\xff"), " is no compressed UTF-8 text"),
        (compressed([1]), ":1 is no game of GuessWhat"),
        (compressed({"status": "success"}), ":1 is no game of GuessWhat"),
    ],
    ids=["no gzip", "cut off", "no UTF-8", "no object", "no fields"],  # not the bytes, which hold the time
)
def test_malformed_games_are_named(copy: Path, content: bytes, message: str) -> None:
    path = copy / "guesswhat" / "guesswhat.train.jsonl.gz"
    put(path, content)

    assert message_of(copy, "guesswhat").startswith(f"{path}{message}")


def without_key(key: str) -> Callable[[str], str]:
    """A change that renames a key of a JSON file."""
    return lambda text: text.replace(f'"{key}"', '"other"')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "{", " is no file of Visual7W pointing"),
        (without_key("boxes"), " is no file of Visual7W pointing"),
        (without_key("split"), " is no file of Visual7W pointing"),
        (without_key("qa_pairs"), ", image 1 is no file of Visual7W pointing"),
        (lambda text: text.replace('"answer": 1', '"answer": 99'), ", image 1 is no file of Visual7W pointing"),
    ],
)
def test_a_malformed_file_of_visual7w_is_named(copy: Path, change: Callable[[str], str], message: str) -> None:
    path = copy / "visual7w" / "dataset_v7w_pointing.json"
    path.write_text(change(path.read_text()))

    assert message_of(copy, "visual7w").startswith(f"{path}{message}")
