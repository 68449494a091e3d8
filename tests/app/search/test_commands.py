"""``omninet index``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.app.search.location import index_folder
from omninet.command import main
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.media.images import decode_image
from tests.samples import image_bytes, jpeg_bytes, picture
from tests.toys import with_new_tasks

SIZES = ((80, 60), (60, 80), (64, 64), (90, 50))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, toy: Checkpoint) -> Path:
    folder = tmp_path_factory.mktemp("search") / "checkpoint"
    save(with_new_tasks(toy), folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos in two folders, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, size in enumerate(SIZES):
        name = f"more/{number}.PNG" if number % 2 else f"{number}.jpg"
        kind = "PNG" if number % 2 else "JPEG"
        (folder / name).write_bytes(image_bytes(picture(*size), kind))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the index, which OMNINET_INDEX names."""
    monkeypatch.setenv("OMNINET_INDEX", str(tmp_path / "index"))
    return tmp_path / "index"


def run(*arguments: object) -> int:
    """The exit code of ``omninet index``."""
    return main(["index", *map(str, arguments)])


def hits(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("index")
def test_pictures_are_added_once(photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", photos, "--checkpoint", checkpoint, "--device", "cpu") == 0
    assert capsys.readouterr().out == "added 4 pictures, 0 were there; the index has 4\n"

    shutil.copyfile(photos / "0.jpg", photos / "copy.jpg")
    assert run("add", photos / "copy.jpg", photos, "--checkpoint", checkpoint) == 0

    assert capsys.readouterr().out == "added 0 pictures, 5 were there; the index has 4\n"
    assert run("info") == 0
    assert "entries  4\n" in capsys.readouterr().out


@pytest.mark.usefixtures("index")
def test_bad_files_are_listed_and_cost_no_other(
    photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")

    assert run("add", photos, "--checkpoint", checkpoint) == 2

    shown = capsys.readouterr()
    assert shown.out == "added 4 pictures, 0 were there; the index has 4\n"
    assert f"omninet: {photos}/bad.jpg: the file is not a readable image" in shown.err


@pytest.mark.usefixtures("index")
def test_searches(photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add", photos, "--checkpoint", checkpoint)
    capsys.readouterr()

    assert run("search", "--image", photos / "0.jpg", "--json", "--checkpoint", checkpoint) == 0
    found = hits(capsys)
    added = {str(path) for path in photos.rglob("*") if path.suffix in {".jpg", ".PNG"}}
    assert {hit["source"] for hit in found} == added
    assert found[0]["score"] == pytest.approx(1, abs=0.01)
    assert set(found[0]) >= {"id", "digest", "caption", "metadata", "rerank_score"}

    options = ("--rerank", 3, "--limit", 2, "--exit", "fast", "--json")
    assert run("search", "a dog", *options, "--checkpoint", checkpoint) == 0
    found = hits(capsys)
    assert len(found) == 2
    assert found[0]["rerank_score"] >= found[1]["rerank_score"]

    assert run("search", "--contains", "nothing") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "a search needs text, image, entity or contains"),
        (["search", "a", "--limit", "0"], "limit must be from 1 to 100, not 0"),
        (["search", "a", "--rerank", "101"], "rerank must be from 0 to 100, not 101"),
        (["search", "--contains", "a", "--rerank", "5"], "rerank compares pictures with a text: give text"),
        (["search", "a", "--filter", "{"], "filter cannot be used: it is no valid JSON"),
        (["search", "a", "--image", __file__], "a search has text or image, not both"),
        (["add", "/nowhere"], "/nowhere does not exist"),
        (["add", str(Path(__file__).parent)], "there is no picture in"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert f"omninet: {message}" in capsys.readouterr().err


def test_entries_are_removed_exported_and_restored(
    index: Path, photos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("add", photos, "--checkpoint", checkpoint)
    capsys.readouterr()
    assert run("export") == 0
    entries = hits(capsys)
    assert run("snapshot", tmp_path / "snapshot") == 0

    assert run("remove", entries[0]["id"], "unknown") == 2
    assert capsys.readouterr().out == "removed 1 of 2\n"
    assert run("restore", tmp_path / "snapshot") == 2
    assert "has an index already" in capsys.readouterr().err
    assert run("restore", tmp_path / "snapshot", "--index", tmp_path / "other") == 0
    assert run("export", "--index", tmp_path / "other") == 0

    assert hits(capsys) == entries
    assert not any(jpeg_bytes()[-500:] in path.read_bytes() for path in index.rglob("*") if path.is_file())


def test_an_index_is_rebuilt_for_another_model(
    index: Path, photos: Path, checkpoint: Path, toy: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    changed = with_new_tasks(toy)
    with torch.no_grad():
        changed.network.get_parameter("cnp.control_embedding.weight").add_(1)
    save(changed, other)
    run("add", photos, "--checkpoint", checkpoint)
    (photos / "0.jpg").unlink()  # is read from its thumbnail
    run("export")
    capsys.readouterr()
    assert run("add", photos, "--checkpoint", other) == 0  # all are there
    (photos / "new.jpg").write_bytes(image_bytes(picture(70, 70), "JPEG"))
    assert run("add", photos, "--checkpoint", other) == 2
    assert "the index was made by the model" in capsys.readouterr().err

    assert run("rebuild", "--checkpoint", other) == 0

    shown = capsys.readouterr()
    assert shown.out == "rebuilt 4 entries\n"
    assert "4 of 4 entries" in shown.err
    assert run("add", photos, "--checkpoint", other) == 0
    assert capsys.readouterr().out == "added 1 pictures, 3 were there; the index has 5\n"
    assert [path.name for path in index.parent.glob("index*")] == ["index"]


def test_thumbnails_are_small(photos: Path, checkpoint: Path, tmp_path: Path) -> None:
    from omninet.app.search.embedded import EmbeddedIndex

    large = tmp_path / "large.jpg"
    large.write_bytes(image_bytes(picture(1200, 800), "JPEG"))
    run("add", large, photos, "--index", tmp_path / "index", "--checkpoint", checkpoint)

    index = EmbeddedIndex(tmp_path / "index")
    sizes = {
        Path(entry.source).name: decode_image(index.thumbnail(entry.id) or b"").pixels.shape[1:]
        for entry in index.entries()
    }
    index.close()
    assert sizes["large.jpg"] == (171, 256)
    assert sizes["0.jpg"] == (60, 80)


def test_the_place_of_the_index(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert index_folder("") == Path("/data/omninet/index")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert index_folder("") == Path.home() / ".local/share/omninet/index"
    assert index_folder("/here") == Path("/here")
    assert index_folder("none") is None
    monkeypatch.setenv("OMNINET_INDEX", "none")
    assert run("info") == 2
    assert "OMNINET_INDEX is none, which switches the index off" in capsys.readouterr().err


def test_a_model_that_does_not_embed(
    photos: Path, toy_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("add", photos, "--index", tmp_path / "index", "--checkpoint", toy_checkpoint) == 2
    assert "the checkpoint has no task embed" in capsys.readouterr().err
