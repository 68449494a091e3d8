"""Recordings with what is said in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.modalities.audio.modality import Joined
from omninet.training.data import DATASETS
from tests.training.data.trees import check_malformed, insert, read


def told(folder: Path, kind: str, split: str = "train") -> list[tuple[str, str]]:
    """Return file, relative to the folder of the data set, and words of each example."""
    return [(e["audio"].relative_to(folder / kind).as_posix(), e["answer"]) for e in read(folder, kind, split)]


def test_an4(trees: Path) -> None:
    assert told(trees, "an4") == [("wav/anna/one.wav", "ENTER SIX"), ("wav/anna/two.wav", "A B C")]
    assert told(trees, "an4", "dev") == [("wav/bob/one.wav", "NO")]


def test_digits_are_words_and_joined_to_strings_in_training(trees: Path) -> None:
    train, folder = read(trees, "fsdd"), trees / "fsdd" / "recordings"

    assert told(trees, "fsdd", "dev") == [("recordings/3_bob_5.wav", "THREE")]
    assert [(e["audio"], e["answer"]) for e in train[:3]] == [
        (folder / "0_anna_5.wav", "ZERO"),
        (folder / "7_anna_6.wav", "SEVEN"),
        (folder / "7_bob_5.wav", "SEVEN"),
    ]
    joined = [(e["audio"], e["answer"]) for e in train[3:] if e["answer"]]
    for parts, words in joined:
        assert isinstance(parts, Joined)
        assert 2 <= len(parts.files) == len(words.split()) <= 7
        assert len({file.stem.split("_")[1] for file in parts.files}) == 1
    assert {words for _, words in joined} > {"SEVEN SEVEN", "ZERO SEVEN"}
    assert [e["audio"] for e in train if not e["answer"]].count(Joined(())) == 200


def test_librispeech(trees: Path) -> None:
    train = told(trees, "librispeech")

    assert train[0] == ("train-clean-100/8/9/8-9-0000.flac", "HE HOPED")
    assert len(train) == 4
    assert told(trees, "librispeech", "dev")[1] == ("dev-clean/8/9/8-9-0001.flac", "STUFF IT")


def test_speech_commands(trees: Path) -> None:
    found = [told(trees, "speech_commands", split) for split in ("train", "dev", "test")]

    assert found == [[("yes/a.wav", "YES")], [("yes/b.wav", "YES")], [("no/a.wav", "NO")]]


@pytest.mark.parametrize(
    ("kind", "name", "line", "message"),
    [
        ("an4", "train.tsv", "anna/one.wav", ":1 must be a file, a tab and its words, not 'anna/one.wav'"),
        ("an4", "train.tsv", "../one.wav\tNO", ":1 names a file outside of"),
        ("fsdd", "train.txt", "x_anna_5.wav", ":1 must be <digit>_<speaker>_<number>.<ending>"),
        ("librispeech", "train-clean-100/8/9/8-9.trans.txt", "8-9-0002", ":1 must be a name and its words"),
    ],
)
def test_a_line_that_is_malformed(copy: Path, kind: str, name: str, line: str, message: str) -> None:
    check_malformed(copy, kind, name, insert(1, line), message)


def test_real_data_has_the_counts_of_its_description(shared: Path) -> None:
    folder = shared / "data"
    if not (folder / "an4").is_dir():
        pytest.skip(f"needs {folder / 'an4'}")

    assert [len(DATASETS["an4"](folder / "an4").read(split)) for split in ("train", "dev")] == [835, 113]
    assert [len(DATASETS["fsdd"](folder / "fsdd").read(split)) for split in ("train", "dev")] == [2800, 250]
