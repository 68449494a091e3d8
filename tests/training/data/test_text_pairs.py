"""Pairs of texts and their translations."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.training.data import DATASETS, masked_captions
from tests.training.data.trees import message_of, read


def test_both_directions(trees: Path) -> None:
    there, back = read(trees, "multi30k"), read(trees, "multi30k_back")

    assert [(e["task"], e["text"], e["answer"]) for e in there[:1]] == [
        ("english_german", "Dog 0 runs.", "Hund 0 läuft.")
    ]
    assert [(e["task"], e["text"], e["answer"]) for e in back[:1]] == [
        ("german_english", "Hund 0 läuft.", "Dog 0 runs.")
    ]
    assert [len(read(trees, "multi30k", split)) for split in ("train", "dev")] == [3, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [("Hund\n", "train.en has 3 lines and {folder}/train.de has 1, not as many"), ("a\n \nb\n", "train.de:2 is empty")],
)
def test_pairs_that_do_not_match_are_named(copy: Path, content: str, message: str) -> None:
    folder = copy / "multi30k"
    (folder / "train.de").write_text(content)

    assert message_of(copy, "multi30k") == f"{folder}/{message.format(folder=folder)}"


def test_news(trees: Path) -> None:
    assert [e["answer"] for e in read(trees, "wmt14")] == ["Wahl 0 ist offen.", "Wahl 1 ist offen."]
    assert [e["text"] for e in read(trees, "wmt14_back", "dev")] == ["Wahl 0 ist offen."]


def test_german_captions_are_of_photos_in_the_same_split_of_flickr8k(trees: Path) -> None:
    train, dev = read(trees, "multi30k_captions"), read(trees, "multi30k_captions", "dev")

    folder = trees / "multi30k_captions" / "Flicker8k_Dataset"
    assert [(e["image"], e["captions"]) for e in train] == [
        (folder / "1_a.jpg", ("Hund 0 läuft.",)),
        (folder / "2_b.jpg", ("Hund 2 läuft.",)),
    ]
    assert [(e["image"], e["answer"]) for e in dev] == [(folder / "3_c.jpg", "Hund 1 läuft.")]


def test_captions_are_translated_with_their_photos(trees: Path) -> None:
    there, back = read(trees, "multi30k_seen"), read(trees, "multi30k_seen_back", "dev")

    folders = [trees / name / "Flicker8k_Dataset" for name in ("multi30k_seen", "multi30k_seen_back")]
    assert [(e["task"], e["text"], e["image"], e["answer"]) for e in there] == [
        ("english_german_seen", "Dog 0 runs.", folders[0] / "1_a.jpg", "Hund 0 läuft."),
        ("english_german_seen", "Dog 2 runs.", folders[0] / "2_b.jpg", "Hund 2 läuft."),
    ]
    assert [(e["text"], e["image"], e["answer"]) for e in back] == [
        ("Hund 1 läuft.", folders[1] / "3_c.jpg", "Dog 1 runs.")
    ]


def test_nouns_are_masked(trees: Path) -> None:
    captions = [f"{number} big dogs and a red ball." for number in range(400)]

    found = [masked_captions.masked(caption) for caption in captions]

    assert found == [masked_captions.masked(caption) for caption in captions]
    assert {word for text in found for word in text.split()[1:]} == {*captions[0].split()[1:], "___"}
    assert {text.split()[2] for text in found} == {"dogs", "___"}
    assert 0.1 < sum(text.count("___") for text in found) / 800 < 0.2
    assert [e["image"].name for e in read(trees, "multi30k_masked_seen")] == ["1_a.jpg"]
    assert [e["image"].name for e in read(trees, "multi30k_masked_seen", "dev")] == ["2_b.jpg"]
    assert [(e["answer"], "image" in e) for e in read(trees, "multi30k_masked", "dev")] == [("Hund 2 läuft.", False)]


def test_as_many_photos_as_captions_are_needed(copy: Path) -> None:
    folder = copy / "multi30k_captions"
    (folder / "train_images.txt").write_text("1.jpg\n")

    expected = f"{folder}/train.de has 3 lines and {folder}/train_images.txt has 1, not as many"
    assert message_of(copy, "multi30k_captions") == expected


def test_real_data_has_the_counts_of_its_description(shared: Path) -> None:
    folder = shared / "data" / "multi30k"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    assert [len(DATASETS["multi30k"](folder).read(split)) for split in ("train", "dev")] == [27248, 986]
    if (shared / "data" / "flickr8k").is_dir():
        assert [len(DATASETS["multi30k_captions"](folder).read(split)) for split in ("train", "dev")] == [5162, 31]
