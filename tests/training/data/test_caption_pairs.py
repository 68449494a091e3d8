"""Generated statements about two photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from omninet.model.outputs.label.answer import Candidate, Label
from omninet.training.data import DATASETS, Example
from omninet.training.data.caption_pairs import CaptionPairs
from tests.training.conftest import put

DOGS = ("A dog runs .", "The brown dog has a stick .", "A dog in the grass .")
CATS = ("A cat sleeps .", "The cat is on a chair .", "A cat in a house .")
SHARED = ("A dog plays .", "The dog barks at nothing .", "A dog looks up .")


@pytest.fixture
def dataset(tmp_path: Path) -> CaptionPairs:
    """Return forty photos: every fourth shows no dog."""
    folder = tmp_path / "flickr8k"
    told = {f"{i}.jpg": CATS if i % 4 == 0 else (DOGS, SHARED)[i % 2] for i in range(40)}
    lines = [f"{name}#{k}\t{caption}" for name, captions in told.items() for k, caption in enumerate(captions)]
    put(folder / "Flickr8k.token.txt", "\n".join(lines).encode())
    put(folder / "Flickr_8k.trainImages.txt", "\n".join(told).encode())
    (folder / "Flicker8k_Dataset").mkdir()
    found = DATASETS["caption_pairs"](folder)
    assert isinstance(found, CaptionPairs)
    return found


def shows_dog(path: Path) -> bool:
    return int(path.stem) % 4 != 0


def truth(example: Example) -> bool:
    """Judge a statement by what the photos show."""
    left, right = example.inputs["image"], example.inputs["second_image"]
    statement = example.inputs["statement"]
    if statement == "Both pictures show a dog.":
        return shows_dog(left) and shows_dog(right)
    if statement == "Only one picture shows a dog.":
        return shows_dog(left) != shows_dog(right)
    side = left if "left" in statement else right
    if statement.startswith("There is a dog"):
        return shows_dog(side)
    caption = statement.split(", ", 1)[1].rstrip(".")
    captions = CATS if not shows_dog(side) else (DOGS, SHARED)[int(side.stem) % 2]
    return any(caption == f"{said[0].lower()}{said[1:]}".rstrip(" .") for said in captions)


def test_statements_are_true_where_they_say_so(dataset: CaptionPairs) -> None:
    examples = dataset.read("train")

    for example in examples:
        alike = {int(path.stem) % 4 for path in example.media}
        if len(alike) == 2 and alike != {1, 3}:  # photos 1 and 3 have the same captions
            assert (example.answer == "true") == truth(example), example.inputs
    starts = Counter(example.inputs["statement"].split(" ")[0] for example in examples)
    assert starts.keys() == {"In", "There", "Both", "Only"}


def test_both_orders_of_a_pair_have_the_same_statement(dataset: CaptionPairs) -> None:
    examples = dataset.read("train")

    for one, other in zip(examples[::2], examples[1::2], strict=True):
        assert one.question_id == other.question_id
        assert one.inputs["statement"] == other.inputs["statement"]
        assert one.media == other.media[::-1]
        about_a_side = "left" in one.inputs["statement"] or "right" in one.inputs["statement"]
        assert (one.answer != other.answer) == about_a_side
    assert [e.inputs for e in dataset.read("train")] == [e.inputs for e in examples]


def test_consistency_counts_statements_right_in_both_orders(dataset: CaptionPairs) -> None:
    examples = dataset.read("train")[:4]

    def answers(right: Sequence[bool]) -> list[Label]:
        labels = (e.answer if is_right else "neither" for e, is_right in zip(examples, right, strict=True))
        return [Label(label, (Candidate(label, 1.0),)) for label in labels]

    assert dataset.metrics(examples, answers([True] * 4)) == {"consistency": 100}
    assert dataset.metrics(examples, answers([True, True, True, False])) == {"consistency": 50}
