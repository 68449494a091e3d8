"""Flickr8k and COCO."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omninet.training.data import DATASETS
from tests.training.conftest import put
from tests.training.data.trees import message_of, read, write_coco


def test_flickr8k(data: Path) -> None:
    train, dev = read(data, "flickr8k"), read(data, "flickr8k", "dev")

    assert [len(train), len(dev)] == [4, 2]
    assert train[1]["image"] == data / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg"
    assert train[1]["captions"] == ("A big field of green .", "All is green here .")
    assert train[1]["answer"] == "A big field of green ."
    assert all(e["image"].is_file() for e in [*train, *dev])


def test_flickr8k_may_have_a_test_list(copy: Path) -> None:
    put(copy / "flickr8k" / "Flickr_8k.testImages.txt", "train3.jpg\n")

    assert [e["image"].name for e in read(copy, "flickr8k", "test")] == ["train3.jpg"]


def test_a_photo_without_caption_is_named(copy: Path) -> None:
    put(copy / "flickr8k" / "Flickr_8k.trainImages.txt", "train0.jpg\nhat.jpg\n")

    assert message_of(copy, "flickr8k") == f"{copy / 'flickr8k' / 'Flickr8k.token.txt'} has no caption for hat.jpg"


@pytest.mark.parametrize(("year", "prefix"), [(2014, "COCO_val2014_"), (2017, "")])
@pytest.mark.parametrize("photos", ["", "images"])
def test_coco(tmp_path: Path, year: int, prefix: str, photos: str) -> None:
    write_coco(tmp_path / "coco", year, photos)

    train, dev = read(tmp_path, "coco"), read(tmp_path, "coco", "dev")

    assert [e["image_id"] for e in train] == ["25", "30", "42"]
    assert [e["image_id"] for e in dev] == ["74"]
    assert dev[0]["image"] == tmp_path / "coco" / photos / f"val{year}" / f"{prefix}000000000074.jpg"
    assert dev[0]["captions"] == (f"Photo 74 of val{year}, said 1 times.", f"Photo 74 of val{year}, said 2 times.")
    assert dev[0]["answer"] == dev[0]["captions"][0]
    assert all(e["image"].is_file() for e in [*train, *dev])


def test_coco_takes_2017_where_both_years_are(tmp_path: Path) -> None:
    for year in (2014, 2017):
        write_coco(tmp_path / "coco", year)

    assert {e["image"].parent.name for e in read(tmp_path, "coco", "dev")} == {"val2017"}


def test_coco_never_mixes_the_years(tmp_path: Path) -> None:
    for year in (2014, 2017):
        write_coco(tmp_path / "coco", year)
    (tmp_path / "coco" / "annotations" / "captions_val2017.json").unlink()

    assert "captions_val2017.json is missing" in message_of(tmp_path, "coco", "dev")


def test_both_places_of_photos_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "coco" / "train2017")

    places = f"{copy / 'coco' / 'train2017'} or {copy / 'coco' / 'images' / 'train2017'} is missing"
    assert message_of(copy, "coco").startswith(places)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"images": []}',
        '{"images": [], "annotations": [{}]}',
        '{"images": [{"id": 1, "file_name": 2}], "annotations": [{"image_id": 1, "caption": ""}]}',
    ],
)
def test_a_malformed_coco_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "coco" / "annotations" / "captions_train2017.json"
    put(path, content)
    (tmp_path / "coco" / "train2017").mkdir()

    assert message_of(tmp_path, "coco").startswith(f"{path} is no COCO caption file")


def test_real_coco_photos(shared: Path) -> None:
    folder = shared / "data" / "coco_mini"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    examples = DATASETS["coco"](folder).read("train")

    assert len(examples) == 80
    assert all(e.image and e.image.is_file() and e.image.stem == e.image_id.zfill(12) for e in examples)
    assert all(len(e.captions) >= 5 and all(e.captions) for e in examples)
