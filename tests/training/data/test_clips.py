"""A folder of clips by class, and HMDB51."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import put
from tests.training.data.trees import message_of, read, write_hmdb51


def test_activities(data: Path) -> None:
    train = read(data, "activities")

    assert [e["answer"] for e in train] == ["run fast", "wave", "run fast", "wave"]
    assert train[0]["video"] == data / "activities" / "clips" / "run_fast" / "train0.mp4"


@pytest.mark.parametrize("videos", ["videos", ""])
@pytest.mark.parametrize("splits", ["splits", "testTrainMulti_7030_splits"])
def test_hmdb51(tmp_path: Path, videos: str, splits: str) -> None:
    write_hmdb51(tmp_path / "hmdb51", videos, splits)

    train, dev = read(tmp_path, "hmdb51"), read(tmp_path, "hmdb51", "dev")

    names = ["a_brush_hair_u.avi", "b(1)_brush#hair.avi", "b_wave.avi"]
    assert [e["video"].name for e in train] == names
    assert [e["answer"] for e in train] == ["brush hair", "brush hair", "wave"]
    assert [e["video"].name for e in dev] == ["c_brush_hair.avi", "a_wave.avi"]
    assert train[0]["video"] == tmp_path / "hmdb51" / videos / "brush_hair" / "a_brush_hair_u.avi"
    assert all(e["video"].is_file() for e in [*train, *dev])


def test_hmdb51_needs_lists(copy: Path) -> None:
    for path in (copy / "hmdb51" / "splits").glob("*split1*"):
        path.unlink()

    assert message_of(copy, "hmdb51").startswith(f"{copy / 'hmdb51' / 'splits'} holds no *_test_split1.txt; expected")


@pytest.mark.parametrize("line", ["clip.avi", "clip.avi 3", "clip.avi 1 2 3 4", "1"])
def test_a_malformed_flag_is_named(copy: Path, line: str) -> None:
    path = copy / "hmdb51" / "splits" / "wave_test_split1.txt"
    put(path, f"a_wave.avi 2 \n\n{line}\n")

    assert message_of(copy, "hmdb51") == f"{path}:3 is not '<clip> <0, 1 or 2>': {line!r}"
