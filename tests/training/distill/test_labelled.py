"""The data set of a distillation's photos."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from omninet.command import main
from omninet.training.data import DATASETS, DataError
from omninet.training.distill.labelled import KEPT, write_labelled
from omninet.training.distill.pack import Pack, pack
from omninet.training.distill.sources import of_folder, read_captions
from omninet.training.distill.view_loader import ViewLoader
from tests.training.conftest import put
from tests.training.distill.conftest import (
    CLASSES,
    make_config,
    make_pictures,
    make_targets,
    make_teacher,
    put_pictures,
)

NAMES = ("pizza", "crane", "tench", "crane", "umbrella", "dog")
HELD_BACK = 0.25
PLACES = {("things", f"{i:03d}.png"): "hound" for i in range(6)}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Twelve packed photos, six of which have the class "hound", with the outputs of a teacher."""
    photos, folder, config = tmp_path / "photos", tmp_path / "packed", make_config()
    put_pictures(photos / "things", list(make_pictures(12)))
    pack(of_folder(photos, PLACES), config.pictures, folder / "pictures.zip")
    loader = ViewLoader(Pack(folder / "pictures.zip"), config)
    targets = make_targets(folder / "targets", config, loader, [make_teacher(config)])
    numbers = torch.arange(len(loader))
    targets.of(numbers, loader(numbers))
    return folder


def test_photos_of_both_sides_are_written(packed: Path, tmp_path: Path) -> None:
    photos, out = Pack(packed / "pictures.zip"), tmp_path / "out"

    counts = write_labelled(packed, out, NAMES, 100, HELD_BACK)

    train, dev = photos.split(HELD_BACK)
    assert counts["train"] == len(train)
    assert 1 <= counts["dev"] <= len(dev)
    examples = DATASETS["imagenet"](out).read("train")
    names = [f"{number:07d}.jpg" for number in train.tolist()]
    assert [example.image.name for example in examples if example.image] == names
    assert all(example.image and example.image.is_file() for example in examples)
    assert (out / "classes.txt").read_text().split() == ["pizza", "crane", "tench", "umbrella", "dog"]


def test_probabilities_of_one_name_are_added(packed: Path, tmp_path: Path) -> None:
    write_labelled(packed, tmp_path / "out", NAMES, 100, HELD_BACK)

    records = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    for record in records:
        shares = record["probabilities"]
        assert len(shares) <= KEPT
        assert math.fsum(shares.values()) <= 1.001
        assert (record["label"] == "hound") == (int(record["photo"].split("/")[1].split(".")[0]) < 6)
    assert {name for record in records for name in record["probabilities"]} <= set(NAMES)


def test_few_of_a_class_are_drawn_and_all_with_captions(packed: Path, tmp_path: Path) -> None:
    told = {("things", "000.png"): ["A dog ."], ("things", "001.png"): ["A dog .", "Two dogs ."]}

    write_labelled(packed, tmp_path / "out", NAMES, 1, HELD_BACK, told)

    records = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    said = [record["captions"] for record in records if "captions" in record]
    train = Pack(packed / "pictures.zip").split(HELD_BACK)[0].tolist()
    assert said == [told["things", f"{i:03d}.png"] for i in (0, 1) if i in train]
    assert sum(record["label"] == "hound" and "captions" not in record for record in records) == 1


def test_outputs_that_do_not_fit_are_named(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no outputs of a teacher with 1000 classes"):
        write_labelled(packed, tmp_path / "out", [str(i) for i in range(1000)], 1, HELD_BACK)
    (packed / "targets" / "targets.json").unlink()
    with pytest.raises(DataError, match="holds no outputs of a teacher"):
        write_labelled(packed, tmp_path / "out", NAMES, 1, HELD_BACK)


def test_the_list_of_captions(tmp_path: Path) -> None:
    put(tmp_path / "captions.tsv", "folder\tpath\tcaption\na/b\tx.jpg\tA dog .\na/b\tx.jpg\tIt runs .\n")

    assert read_captions(tmp_path / "captions.tsv") == {("a+b", "x.jpg"): ["A dog .", "It runs ."]}
    put(tmp_path / "captions.tsv", "folder\tpath\tcaption\na/b\tx.jpg\n")
    with pytest.raises(DataError, match="is no list of captions"):
        read_captions(tmp_path / "captions.tsv")


def test_the_command_refuses_the_outputs_of_another_teacher(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(__file__).parents[3] / "training" / "configs" / "distill.yaml"

    assert main(["data", "label", str(config), str(packed), str(tmp_path / "out")]) == 2
    assert f"{CLASSES}" not in capsys.readouterr().out
