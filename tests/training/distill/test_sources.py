"""Which photos a distillation reads."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from omninet.training.data import DataError
from omninet.training.distill.config import Folder
from omninet.training.distill.sources import Source, of_datasets, of_folder, of_lists, read_classes, subsample
from tests.samples import image_bytes, video_bytes
from tests.training.conftest import put

PIXEL = image_bytes(Image.new("RGB", (9, 9)))


def test_a_folder_is_searched_to_its_depth(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/x/1.webp", "c.bmp", "notes.txt"):
        put(tmp_path / name, PIXEL)
    (tmp_path / "d.jpg").mkdir()

    found = of_folder(tmp_path, {("a", "x/1.webp"): "cat"})

    named = [(source.collection, source.name, source.label) for source in found]
    assert named == [("a", "x/1.webp", "cat"), ("b", "2.png", ""), (tmp_path.name, "c.bmp", "")]


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_pictures(name: str, tmp_path: Path) -> None:
    put(tmp_path / "readme.md", "none here")

    with pytest.raises(DataError, match=r"holds no pictures \(\.bmp, \.gif, "):
        of_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["labels.tsv", "labels.tsv.gz"])
def test_a_list_of_classes(name: str, tmp_path: Path) -> None:
    table = b'folder\tpath\tclass\tmore\nowner/name\tx/1.jpg\tan "old" cat\t3\nb\t2.jpg\t-\t4\n'
    put(tmp_path / name, gzip.compress(table) if name.endswith("gz") else table)

    assert read_classes(tmp_path / name) == {("owner+name", "x/1.jpg"): 'an "old" cat'}


@pytest.mark.parametrize("content", [b"", b"a\tb\tc\none\n", b"\xff\xff", None])
def test_a_malformed_list_of_classes_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        put(tmp_path / "labels.tsv", content)
    with pytest.raises(DataError, match=r"labels\.tsv is no list of classes \(header, then tab-separated"):
        read_classes(tmp_path / "labels.tsv")


def test_each_class_of_a_collection_is_limited() -> None:
    sources = [
        Source(collection, f"{i}", Path(f"{collection}{i}"), label)
        for collection, label, number in (("a", "cat", 9), ("a", "", 7), ("b", "cat", 3))
        for i in range(number)
    ]

    kept = subsample(sources, 4, seed=0)

    assert Counter((s.collection, s.label) for s in kept) == {("a", "cat"): 4, ("a", ""): 7, ("b", "cat"): 3}
    assert kept == sorted(kept, key=sources.index)
    assert kept == subsample(sources, 4, seed=0)
    assert kept != subsample(sources, 4, seed=1)
    assert subsample(sources, None, seed=0) == sources


def test_a_list_names_some_photos_of_a_folder(tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        put(tmp_path / "photos" / name, PIXEL)
    put(tmp_path / "train.txt", "cat/2.jpg\n\ndog/1.jpg\n")
    folders = {"some": Folder(folder="photos", list="train.txt"), "all": Folder(folder="photos")}

    found = of_lists(folders, tmp_path)

    assert [(s.collection, s.path.relative_to(tmp_path / "photos").as_posix()) for s in found] == [
        ("some", "cat/2.jpg"),
        ("some", "dog/1.jpg"),
        ("all", "cat/1.jpg"),
        ("all", "cat/2.jpg"),
        ("all", "dog/1.jpg"),
    ]
    with pytest.raises(DataError, match=r"other\.txt is no list of the photos in "):
        of_lists({"some": Folder(folder="photos", list="other.txt")}, tmp_path)


def test_pictures_of_data_sets_are_those_of_training_alone(data: Path) -> None:
    found = of_datasets({name: name for name in ("flickr8k", "ewt", "daquar", "activities")}, data)

    # Four photos of captions, the two of DAQUAR that no dev question is about, four clips.
    assert Counter((source.collection, source.clip) for source in found) == {
        ("flickr8k", False): 4,
        ("daquar", False): 2,
        ("activities", True): 4,
    }


def test_a_clip_of_dev_is_not_trained_on(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / "activities" / "clips" / "wave" / f"{name}.mp4", video_bytes(frames=24))
    put(tmp_path / "activities" / "train.txt", "wave/a.mp4\nwave/b.mp4\n")
    put(tmp_path / "activities" / "dev.txt", "wave/a.mp4\n")

    assert [source.name for source in of_datasets({"activities": "activities"}, tmp_path)] == ["b.mp4"]
