"""Photos kept in one file: all that can be read and may be, in order, and never half of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from omninet.training.data import DataError
from omninet.training.data.exclusion import Exclusion, perceptual_hash
from omninet.training.distill import pack as packing
from omninet.training.distill.pack import Pack, pack, repeats
from omninet.training.distill.sources import PictureSource, of_folder
from tests.samples import video_bytes
from tests.training.conftest import photo, put
from tests.training.distill.conftest import make_config, make_pictures, put_pictures

CONFIG = make_config().pictures


def means_of(packed: Pack) -> list[int]:
    return [round(float(packed.pixels(i).float().mean())) for i in range(len(packed))]


def test_pictures_come_back_in_order(tmp_path: Path) -> None:
    pictures = make_pictures(5)
    counts = pack(of_folder(put_pictures(tmp_path / "photos", list(pictures))), CONFIG, tmp_path / "deep" / "p.zip")

    packed = Pack(tmp_path / "deep" / "p.zip")

    assert counts == {"photos": 5}
    assert [entry.name for entry in packed.entries] == [f"00{i}.png" for i in range(5)]
    for i, picture in enumerate(pictures):
        assert (packed.pixels(i).float() - picture.float()).abs().mean() < 8
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["p.zip"]


@pytest.mark.parametrize(
    ("height", "width", "wanted"), [(200, 100, (128, 64)), (100, 300, (64, 192)), (40, 50, (40, 50))]
)
def test_large_pictures_are_shrunk_and_keep_their_shape(
    height: int, width: int, wanted: tuple[int, int], tmp_path: Path
) -> None:
    put_pictures(tmp_path / "photos", [torch.full((3, height, width), 90, dtype=torch.uint8)])
    pack(of_folder(tmp_path / "photos"), CONFIG, tmp_path / "p.zip")

    assert Pack(tmp_path / "p.zip").pixels(0).shape == (3, *wanted)


def test_photos_of_some_collections_are_shown_more_often(tmp_path: Path) -> None:
    pictures = list(make_pictures(4))
    put_pictures(tmp_path / "photos" / "few", pictures[:2])
    put_pictures(tmp_path / "photos" / "many", pictures[2:])
    pack(of_folder(tmp_path / "photos"), CONFIG, tmp_path / "p.zip")
    packed = Pack(tmp_path / "p.zip")

    times = repeats(packed, torch.arange(4), {"few": 3})

    assert [packed.entries[i].collection for i in torch.arange(4).repeat_interleave(times)] == ["few"] * 6 + [
        "many"
    ] * 2
    with pytest.raises(DataError, match="often: no photo was packed of 'other'; known are few, many"):
        repeats(packed, torch.arange(4), {"other": 2})


def test_unreadable_pictures_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "photos" / "a.jpg", photo("red"))
    put(tmp_path / "photos" / "b.png", b"no picture")
    put(tmp_path / "photos" / "c.JPG", photo("blue"))
    sources = of_folder(tmp_path / "photos")
    (tmp_path / "photos" / "a.jpg").unlink()

    pack(sources, CONFIG, tmp_path / "p.zip")

    packed = Pack(tmp_path / "p.zip")
    assert len(packed) == 1
    assert int(packed.pixels(0).float().mean((1, 2)).argmax()) == 2
    assert caplog.messages == ["skipped: 2 unreadable"]


def test_copies_and_excluded_photos_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second, third, fourth = make_pictures(4)
    folder = put_pictures(tmp_path / "photos", [first, second, first, third, fourth])
    look = perceptual_hash(Image.fromarray(third.permute(1, 2, 0).numpy()))

    pack(of_folder(folder), CONFIG, tmp_path / "p.zip", Exclusion(["004"], [look]))

    assert [entry.name for entry in Pack(tmp_path / "p.zip").entries] == ["000.png", "001.png"]
    assert caplog.messages == ["skipped: 1 copies, 2 excluded"]


def test_nothing_can_be_used(tmp_path: Path) -> None:
    sources = of_folder(put_pictures(tmp_path / "photos", list(make_pictures(2))))

    with pytest.raises(DataError, match="none of 2 pictures and clips can be used"):
        pack(sources, CONFIG, tmp_path / "p.zip", Exclusion(["000", "001"]))

    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_interrupted_packing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = of_folder(put_pictures(tmp_path / "photos", list(make_pictures(2))))
    target = tmp_path / "p.zip"

    def cut_off(pixels: Tensor, config: object) -> packing.Encoded:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(packing, "_encode", cut_off)
        with pytest.raises(KeyboardInterrupt):
            pack(sources, CONFIG, target)
    assert not target.exists()

    pack(sources, CONFIG, target)

    assert len(Pack(target)) == 2


def test_several_processes_pack_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = of_folder(put_pictures(tmp_path / "photos", list(make_pictures(9))))
    pack(sources, CONFIG, tmp_path / "one.zip")
    monkeypatch.setattr(packing, "CHUNK", 2)
    monkeypatch.setattr(packing.os, "cpu_count", lambda: 2)  # type: ignore[attr-defined]

    pack(sources, CONFIG, tmp_path / "two.zip")

    one, two = Pack(tmp_path / "one.zip"), Pack(tmp_path / "two.zip")
    assert one.entries == two.entries
    assert [one.jpeg(i) for i in range(9)] == [two.jpeg(i) for i in range(9)]


def test_frames_of_a_clip_are_held_back_together(tmp_path: Path) -> None:
    sources = []
    for name in "abcdef":
        put(tmp_path / f"{name}.mp4", video_bytes(frames=24))
        sources.append(PictureSource("clips", f"{name}.mp4", tmp_path / f"{name}.mp4", clip=True))

    pack(sources, CONFIG, tmp_path / "p.zip")

    packed = Pack(tmp_path / "p.zip")
    assert len(packed) == 12
    train, held_back = packed.split(0.3)
    assert sorted([*train.tolist(), *held_back.tolist()]) == list(range(12))
    assert len(held_back) == 4
    groups = [{packed.entries[i].group for i in part.tolist()} for part in (train, held_back)]
    assert not groups[0] & groups[1]


@pytest.mark.parametrize(("number", "share", "held"), [(40, 0.1, 4), (40, 0.001, 1), (2, 0.99, 1), (3, 0.9, 2)])
def test_some_are_held_back(
    number: int, share: float, held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "CHUNK", number)  # more processes would take longer to begin than to pack
    pack(of_folder(put_pictures(tmp_path / "photos", list(make_pictures(number)))), CONFIG, tmp_path / "p.zip")

    train, held_back = Pack(tmp_path / "p.zip").split(share)

    assert (len(train), len(held_back)) == (number - held, held)


def test_one_picture_is_not_enough(tmp_path: Path) -> None:
    pack(of_folder(put_pictures(tmp_path / "photos", list(make_pictures(1)))), CONFIG, tmp_path / "p.zip")

    with pytest.raises(DataError, match="at least two different pictures, not 1"):
        Pack(tmp_path / "p.zip").split(0.5)


def test_a_damaged_file_is_named(packed: Path, tmp_path: Path) -> None:
    content = packed.read_bytes()
    (tmp_path / "p.zip").write_bytes(content[: len(content) // 2])

    with pytest.raises(DataError, match=r"p\.zip is damaged, remove it to pack the photos again: "):
        Pack(tmp_path / "p.zip")
