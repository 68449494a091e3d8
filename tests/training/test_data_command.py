"""``omninet data check``: what is there, what is missing, what is broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from omninet.command import main
from omninet.training.data import DATASETS, DataSet
from omninet.training.data.check import check
from tests.samples import jpeg_bytes
from tests.training.conftest import run_values

TABLE = """\
| data | split | examples | media files | missing | unreadable |
|---|---|---|---|---|---|
| caption | train | 4 | 4 | 0 | 0 |
| caption | dev | 2 | 2 | 0 | 0 |
| pos | train | 9 | 0 | 0 | 0 |
| pos | dev | 2 | 0 | 0 | 0 |
| vqa | train | 4 | 4 | 0 | 0 |
| vqa | dev | 2 | 2 | 0 | 0 |
| activity | train | 4 | 4 | 0 | 0 |
| activity | dev | 2 | 2 | 0 | 0 |
"""


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """Return a copy of the data that the test may change."""
    return Path(shutil.copytree(data, tmp_path / "copy"))


def run(*arguments: object) -> int:
    """The exit code of ``omninet data check``."""
    return main(["data", "check", *map(str, arguments)])


def test_a_sound_run(config_file: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config_file, "--data", data) == 0

    written = capsys.readouterr()
    assert written.out == TABLE + "\n"
    assert "decoding: 100%" in written.err
    assert "16/16" in written.err


def test_one_data_set_as_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dataset", "daquar", data / "daquar", "--json") == 0

    reports = json.loads(capsys.readouterr().out)
    sound: dict[str, Any] = {"missing": [], "unreadable": {}, "error": None}
    assert reports == [
        {"name": "daquar", "split": "train", "examples": 4, "media": 4, **sound},
        {"name": "daquar", "split": "dev", "examples": 2, "media": 2, **sound},
    ]


def test_further_data_sets_have_their_names(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = run_values()
    values["tasks"] = {"vqa": values["tasks"]["vqa"] | {"more": [{"dataset": "daquar", "folder": "other"}]}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))

    shutil.copytree(copy / "daquar", copy / "other")

    assert run(tmp_path / "run.yaml", "--data", copy) == 0

    shown = capsys.readouterr().out
    assert "| vqa | train | 4 | 4 | 0 | 0 |" in shown
    assert "| vqa/other | train | 4 | 4 | 0 | 0 |" in shown


def damage(folder: Path) -> dict[str, str]:
    """Damage six files; return file -> expected message."""
    photos, clips = folder / "flickr8k" / "Flicker8k_Dataset", folder / "activities" / "clips"
    contents: dict[Path, tuple[bytes | None, str]] = {
        photos / "train0.jpg": (None, " is missing"),
        photos / "train1.jpg": (b"", ": the image file is empty"),
        photos / "train2.jpg": (b"no photo", ": the file is not a readable image"),
        photos / "dev0.jpg": (jpeg_bytes()[:-200], ": the file ends early"),
        clips / "wave" / "train0.mp4": (b"no clip", ": the file is not a readable video"),
        clips / "wave" / "dev0.mp4": (None, " is missing"),
    }
    for path, (content, _) in contents.items():
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    return {str(path): said for path, (_, said) in contents.items()}


def test_damage_is_counted_and_named(config_file: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt = damage(copy)

    assert run(config_file, "--data", copy, "--json") == 2

    written = capsys.readouterr()
    reports = {(r["name"], r["split"]): r for r in json.loads(written.out)}
    train = reports["caption", "train"]
    assert [train["examples"], train["media"], len(train["missing"]), len(train["unreadable"])] == [4, 4, 1, 2]
    named: dict[str, Any] = {path: " is missing" for r in reports.values() for path in r["missing"]}
    named |= {path: f": {why}" for r in reports.values() for path, why in r["unreadable"].items()}
    assert named.keys() == spoilt.keys()
    assert all(named[path].startswith(said) for path, said in spoilt.items())
    message = written.err.splitlines()[-1]
    assert message.startswith("omninet: 6 problems: ")
    assert message.endswith("; and 1 more")
    assert sum(path + said in message for path, said in spoilt.items()) == 5


def test_the_table_counts_damage(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(copy)

    assert run("--dataset", "flickr8k", copy / "flickr8k") == 2

    assert "| flickr8k | train | 4 | 4 | 1 | 2 |\n| flickr8k | dev | 2 | 2 | 0 | 1 |\n" in capsys.readouterr().out


def test_a_split_that_cannot_be_read(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "daquar" / "qa_dev.csv").unlink()

    assert run("--dataset", "daquar", copy / "daquar") == 2

    written = capsys.readouterr()
    assert "| daquar | train | 4 | 4 | 0 | 0 |\n| daquar | dev | - | - | - | - |\n" in written.out
    assert f"1 problem: {copy / 'daquar' / 'qa_dev.csv'} is missing; expected" in written.err


def test_a_test_split_is_checked_where_it_is(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = copy / "flickr8k" / "Flickr_8k.testImages.txt"
    listed.write_text("train0.jpg\n")
    assert run("--dataset", "flickr8k", copy / "flickr8k") == 0
    assert "| flickr8k | test | 1 | 1 | 0 | 0 |" in capsys.readouterr().out

    listed.write_text("hat.jpg\n")
    assert run("--dataset", "flickr8k", copy / "flickr8k") == 2
    assert "has no caption for hat.jpg" in capsys.readouterr().err


def test_an_empty_split_is_a_problem(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "activities" / "dev.txt").write_text("")

    assert run("--dataset", "activities", copy / "activities") == 2
    assert f"1 problem: {copy / 'activities'} holds no dev example" in capsys.readouterr().err


def test_a_file_of_several_splits_is_decoded_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        read.append(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    both: dict[str, DataSet] = {name: DATASETS["daquar"](data / "daquar") for name in ("one", "two")}

    assert [(r.name, r.media) for r in check(both)] == [("one", 4), ("one", 2), ("two", 4), ("two", 2)]
    assert sorted(read) == sorted((data / "daquar" / "images").iterdir())


def test_a_file_that_may_not_be_read(copy: Path) -> None:
    path = copy / "daquar" / "images" / "image0.jpg"
    path.unlink()
    path.mkdir()

    reports = check({"daquar": DATASETS["daquar"](copy / "daquar")})

    assert reports[0].unreadable == {str(path): "cannot be read: Is a directory"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either a configuration and its --data folder, or --dataset NAME FOLDER"),
        (["run.yaml"], "give either a configuration"),
        (["run.yaml", "--dataset", "coco", "."], "give either a configuration"),
        (["--data", "."], "give either a configuration"),
        (["--dataset", "cocoa", "."], "unknown data set 'cocoa'; known are penn, conllu"),
        (["run.yaml", "--data", "."], "run.yaml cannot be read"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert run(*arguments) == 2
    assert message in capsys.readouterr().err
