"""Records of any task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omninet.training.data import DataError, Example, MissingError, Records


class Wear(Records):
    """Records of a task with two photos."""

    task = "wear"


def write(folder: Path, records: Any) -> Wear:
    """A data set of one split."""
    (folder / "train.json").write_text(json.dumps(records))
    (folder / "0.jpg").write_bytes(b"a photo")
    return Wear(folder)


def test_file_names_become_paths_and_other_values_are_kept(tmp_path: Path) -> None:
    record = {"before": "0.jpg", "text": "1.jpg", "readings": [[1, 2]], "tokens": ["a", "b"], "truth": 3}

    (example,) = write(tmp_path, [record]).read("train")

    inputs = {"before": tmp_path / "0.jpg", "text": "1.jpg", "readings": [[1, 2]], "tokens": ("a", "b")}
    assert example == Example("wear", inputs, truth=3)


def test_the_first_caption_is_the_answer(tmp_path: Path) -> None:
    (example,) = write(tmp_path, [{"image": "0.jpg", "captions": ["A cup.", "A mug."]}]).read("train")

    assert (example.answer, example.captions) == ("A cup.", ("A cup.", "A mug."))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"before": "0.jpg"}, "must hold a list of objects"),
        ([["0.jpg"]], "must hold a list of objects"),
        ([{"truth": 1}, {"before": "0.jpg"}], "record 1 has no target: one of answer, captions, tags, truth"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, records: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path, records).read("train")


def test_no_json(tmp_path: Path) -> None:
    data = write(tmp_path, [])
    (tmp_path / "train.json").write_text("[")

    with pytest.raises(DataError, match="is no valid JSON"):
        data.read("train")
    with pytest.raises(MissingError, match=r"dev\.json is missing"):
        data.read("dev")
