"""Training photos that are also in a dev or test set."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml
from PIL import Image

from omninet.command import main
from omninet.training.config import RunConfig
from omninet.training.data import DATASETS, DataError, DataSet
from omninet.training.data.clean import clean_table, kept_leaks, read_leaks, without, write_leaks
from omninet.training.data.leaks import Leak, find_leaks, photo_id
from omninet.training.setup import set_up
from tests.samples import image_bytes
from tests.training.conftest import put, run_values
from tests.training.data.pair_trees import lines_of
from tests.training.data.photos import picture

PHOTOS = {"train": ("1001773457_577c3a7d70", "1001773458_577c3a7d71"), "dev": ("1001773459_577c3a7d72",)}
DEV_PHOTO = 2  # seed of the picture that is the dev photo of Flickr8k


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    return image_bytes(image, "JPEG", quality=quality)


def write_flickr8k(folder: Path) -> None:
    """Two training photos and a dev photo, with one caption each."""
    captions, seed = "", 0
    for split, names in PHOTOS.items():
        put(folder / f"Flickr_8k.{split}Images.txt", "".join(f"{name}.jpg\n" for name in names))
        for name in names:
            put(folder / "Flicker8k_Dataset" / f"{name}.jpg", jpeg(picture(seed)))
            captions += f"{name}.jpg#0\tA photo that has the number {seed} .\n"
            seed += 1
    put(folder / "Flickr8k.token.txt", captions)


def write_daquar(folder: Path) -> None:
    """Three training photos; one is Flickr8k's dev photo under another name, smaller and encoded again."""
    images = {"a": picture(10), "copy": picture(DEV_PHOTO).resize((160, 120)), "b": picture(11), "c": picture(12)}
    for name, image in images.items():
        put(folder / "images" / f"{name}.jpg", jpeg(image, 50))
    for split, names in (("train", ("a", "copy", "b")), ("dev", ("c",))):
        put(folder / f"qa_{split}.csv", "question,answer,image_id\n" + "".join(f"what is it ?,it,{n}\n" for n in names))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Two data sets, of which one holds a copy of the other's dev photo among its training photos."""
    write_flickr8k(tmp_path / "data" / "flickr8k")
    write_daquar(tmp_path / "data" / "daquar")
    return tmp_path / "data"


def sets_of(data: Path) -> dict[str, DataSet]:
    return {name: DATASETS[name](data / name) for name in ("flickr8k", "daquar")}


def test_a_copy_under_another_name_is_found(leaky: Path) -> None:
    path = leaky / "daquar" / "images" / "copy.jpg"
    dev_photo = leaky / "flickr8k" / "Flicker8k_Dataset" / f"{PHOTOS['dev'][0]}.jpg"

    assert find_leaks(sets_of(leaky).values()) == {path: Leak(path, dev_photo, "look")}


def test_a_photo_of_several_splits_is_found_by_its_path(leaky: Path) -> None:
    put(leaky / "daquar" / "qa_dev.csv", "question,answer,image_id\nwhat ?,it,a\n")

    found = find_leaks([DATASETS["daquar"](leaky / "daquar")])

    path = leaky / "daquar" / "images" / "a.jpg"
    assert found == {path: Leak(path, path, "name")}


def test_an_optional_test_split_counts(leaky: Path) -> None:
    put(leaky / "flickr8k" / "Flickr_8k.testImages.txt", f"{PHOTOS['train'][0]}.jpg\n")

    assert [leak.by for leak in find_leaks([DATASETS["flickr8k"](leaky / "flickr8k")]).values()] == ["name"]


def test_a_missing_dev_split_is_an_error(leaky: Path) -> None:
    (leaky / "daquar" / "qa_dev.csv").unlink()

    with pytest.raises(DataError, match=r"qa_dev\.csv is missing"):
        find_leaks(sets_of(leaky).values())


def test_drawn_pictures_are_not_compared_by_look(trees: Path) -> None:
    assert find_leaks([DATASETS["nlvr"](trees / "nlvr")]) == {}


def test_an_unreadable_dev_photo_is_logged(leaky: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(leaky / "flickr8k" / "Flicker8k_Dataset" / f"{PHOTOS['dev'][0]}.jpg", b"no photo")

    assert find_leaks(sets_of(leaky).values()) == {}
    assert caplog.messages == ["1 dev and test photos cannot be read and were compared by name only"]


def test_clips_are_not_compared(data: Path) -> None:
    assert find_leaks([DATASETS["activities"](data / "activities")]) == {}


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        ("a/COCO_val2014_000000000042.jpg", "b/000000000042.jpg", True),
        ("a/COCO_val2014_000000000042.jpg", "b/000000000043.jpg", False),
        ("a/1000092795_0123456789.jpg", "b/1000092795.jpg", True),
        ("a/v7w_2370799.jpg", "b/2370799.jpg", True),
        ("a/image1.jpg", "b/image1.jpg", False),
        ("a/1.jpg", "b/1.jpg", False),
        ("a/x.jpg", "a/b/../x.jpg", True),
    ],
)
def test_photo_ids(one: str, other: str, are_equal: bool) -> None:
    assert (photo_id(Path(one)) == photo_id(Path(other))) is are_equal


def test_a_photo_with_one_id_is_found_by_name(tmp_path: Path, leaky: Path) -> None:
    name = PHOTOS["dev"][0].partition("_")[0]
    put(leaky / "snli_ve" / "flickr30k_images" / f"{name}.jpg", jpeg(picture(77)))
    pairs = [{"Flickr30K_ID": name, "sentence2": "It is so.", "gold_label": "neutral"}]
    put(leaky / "snli_ve" / "snli_ve_train.jsonl", lines_of(pairs))
    put(leaky / "snli_ve" / "snli_ve_dev.jsonl", "")

    found = find_leaks([DATASETS[kind](leaky / kind) for kind in ("flickr8k", "snli_ve")])

    assert [(leak.path.name, leak.by) for leak in found.values()] == [(f"{name}.jpg", "name")]


def test_the_list_is_computed_once(leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = list(sets_of(leaky).values())
    first = kept_leaks(sets, tmp_path / "work")
    with monkeypatch.context() as patch:
        patch.setattr("omninet.training.data.clean.find_leaks", None)
        assert kept_leaks(sets, tmp_path / "work") == first

    put(leaky / "daquar" / "images" / "copy.jpg", jpeg(picture(13)))
    assert kept_leaks(sets, tmp_path / "work") == {}


def test_examples_without_photos_stay(leaky: Path) -> None:
    leaks = find_leaks(sets_of(leaky).values())

    assert [e.image and e.image.stem for e in without(DATASETS["daquar"](leaky / "daquar").read("train"), leaks)] == [
        "a",
        "b",
    ]


def test_a_malformed_list_is_named(tmp_path: Path) -> None:
    put(tmp_path / "leaks.json", '[{"photo": "a.jpg"}]')

    with pytest.raises(DataError, match=r"leaks\.json is no list of photos to leave out"):
        read_leaks(tmp_path / "leaks.json")


def run_config(**changes: object) -> dict[str, object]:
    values = run_values(**changes)
    values["tasks"] = {name: values["tasks"][name] for name in ("caption", "vqa")}
    return values


def test_a_clean_run(leaky: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "omninet.training.setup"):
        clean = set_up(RunConfig.model_validate(run_config(clean=True)), leaky, "random", tmp_path / "work")
        whole = set_up(RunConfig.model_validate(run_config()), leaky, "random", tmp_path / "work")

    assert [len(setup.examples["vqa"]) for setup in (clean, whole)] == [2, 3]
    assert [len(setup.examples["caption"]) for setup in (clean, whole)] == [2, 2]
    assert "1 training photos are left out, since they are also in a dev or test set" in caplog.messages
    assert f"{leaky / 'daquar'}: 1 examples left out with their photos" in caplog.messages


def test_a_run_without_clean_photos_is_refused(leaky: Path, tmp_path: Path) -> None:
    put(leaky / "daquar" / "qa_train.csv", "question,answer,image_id\nwhat ?,it,copy\n")

    with pytest.raises(DataError, match="daquar holds no training example that is in no dev or test set"):
        set_up(RunConfig.model_validate(run_config(clean=True)), leaky, "random", tmp_path / "work")


def test_the_command(leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "run.yaml", yaml.safe_dump(run_config()))

    code = main(["data", "clean", str(tmp_path / "run.yaml"), "--data", str(leaky), "--list", str(tmp_path / "l.json")])

    assert code == 0
    assert capsys.readouterr().out == (
        "| data | training photos | left out by name | left out by look |\n|---|---|---|---|\n"
        "| caption | 2 | 0 | 0 |\n| vqa | 3 | 0 | 1 |\n\n"
    )
    assert [path.name for path in read_leaks(tmp_path / "l.json")] == ["copy.jpg"]


def test_the_table_counts_by_data_set(leaky: Path, tmp_path: Path) -> None:
    path = leaky / "daquar" / "images" / "a.jpg"
    leaks = {path: Leak(path, path, "name")}
    write_leaks(leaks, tmp_path / "list.json")

    assert read_leaks(tmp_path / "list.json") == leaks
    assert "| daquar | 3 | 1 | 0 |" in clean_table(sets_of(leaky), leaks)
