"""Pictures kept in one file: all that can be read, in order, and never half of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from model.errors import InputError
from tests.samples import image_bytes, video_bytes
from tests.training.conftest import photo, put
from tests.training.distill.conftest import make_config, make_pictures
from training.data import DataError
from training.distill.pack import of_datasets, of_folder, pack, split, unpack

CONFIG = make_config().pictures


def greys(*levels: int) -> list[Callable[[], list[Tensor]]]:
    """A loader of one grey picture for each level."""
    return [partial(grey, level) for level in levels]


def grey(level: int) -> list[Tensor]:
    return [torch.full((3, 40, 50), level, dtype=torch.uint8)]


def broken(error: BaseException) -> Sequence[Tensor]:
    raise error


def levels_of(pictures: Tensor) -> list[int]:
    return [round(float(picture.float().mean())) for picture in pictures]


def test_pictures_come_back_squashed_and_in_order(tmp_path: Path) -> None:
    pack(greys(*range(0, 240, 20)), CONFIG, tmp_path / "deep" / "pictures.zip")

    pictures = unpack(tmp_path / "deep" / "pictures.zip")

    assert (pictures.shape, pictures.dtype) == ((12, 3, 64, 64), torch.uint8)
    assert levels_of(pictures) == pytest.approx(list(range(0, 240, 20)), abs=3)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["pictures.zip"]


def test_colours_and_places_stay(tmp_path: Path) -> None:
    pictures = make_pictures(3)
    pack([lambda: list(pictures)], CONFIG, tmp_path / "pictures.zip")

    difference = (unpack(tmp_path / "pictures.zip").float() - pictures.float()).abs()

    assert difference.mean() < 8


def test_what_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "photos" / "a.jpg", photo("red"))
    put(tmp_path / "photos" / "b.png", b"no picture")
    put(tmp_path / "photos" / "c.JPG", photo("blue"))
    put(tmp_path / "photos" / "d.txt", "no picture either")
    loaders = of_folder(tmp_path / "photos")
    (tmp_path / "photos" / "a.jpg").unlink()

    pack(loaders, CONFIG, tmp_path / "pictures.zip")

    pictures = unpack(tmp_path / "pictures.zip")
    assert len(pictures) == 1
    assert int(pictures.float().mean((0, 2, 3)).argmax()) == 2
    assert caplog.messages == ["2 of 3 pictures and clips cannot be read and are left out"]


def test_nothing_can_be_read(tmp_path: Path) -> None:
    loaders = [partial(broken, InputError("corrupt_image", "broken"))] * 3

    with pytest.raises(DataError, match="none of 3 pictures and clips can be read"):
        pack(loaders, CONFIG, tmp_path / "pictures.zip")

    assert list(tmp_path.iterdir()) == []


def test_cut_off_it_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "pictures.zip"
    with pytest.raises(KeyboardInterrupt):
        pack([*greys(10, 20), partial(broken, KeyboardInterrupt())], CONFIG, target)
    assert not target.exists()

    pack(greys(30), CONFIG, target)

    assert levels_of(unpack(target)) == pytest.approx([30], abs=3)


def test_a_folder_is_searched_to_its_depth(tmp_path: Path) -> None:
    for name, level in (("b/2.png", 50), ("a/x/1.webp", 20), ("c.bmp", 80)):
        put(tmp_path / name, image_bytes(Image.new("RGB", (9, 9), (level, level, level)), name.rpartition(".")[2]))
    (tmp_path / "d.jpg").mkdir()

    found = [loader()[0] for loader in of_folder(tmp_path)]

    assert [round(float(picture.float().mean())) for picture in found] == pytest.approx([20, 50, 80], abs=2)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_pictures(name: str, tmp_path: Path) -> None:
    put(tmp_path / "readme.md", "none here")

    with pytest.raises(DataError, match=r"holds no pictures \(\.bmp, \.gif, "):
        of_folder(tmp_path / name)


def test_pictures_of_data_sets_are_those_of_training_alone(data: Path) -> None:
    config = make_config(datasets={name: name for name in ("flickr8k", "ewt", "daquar", "activities")})

    found = [loader() for loader in of_datasets(config, data)]

    # Four photos of captions, the two of DAQUAR that no dev question is about, four clips of two frames.
    assert [len(pictures) for pictures in found] == [1] * 6 + [2] * 4
    # The clips of one frame show it twice.
    assert {tuple(pictures[0].shape) for pictures in found} == {(3, 30, 40), (3, 48, 64)}
    means = [pictures[0].float().mean((1, 2)).tolist() for pictures in found]
    assert means[0].index(max(means[0])) == 0  # train0.jpg is red
    assert means[2].index(max(means[2])) == 2
    assert means[4].index(max(means[4])) == 2  # image2.jpg: image0 and image1 are held back


@pytest.mark.parametrize(("datasets", "named"), [({}, "none"), ({"ewt": "ewt"}, "ewt")])
def test_data_sets_without_pictures(datasets: dict[str, str], named: str, data: Path) -> None:
    with pytest.raises(DataError, match=rf"datasets \({named}\) hold no pictures to train on"):
        of_datasets(make_config(datasets=datasets), data)


def test_frames_of_a_clip_are_neighbours(tmp_path: Path) -> None:
    put(tmp_path / "activities" / "clips" / "wave" / "a.mp4", video_bytes(frames=24))
    put(tmp_path / "activities" / "clips" / "wave" / "b.mp4", video_bytes(frames=24))
    put(tmp_path / "activities" / "train.txt", "wave/a.mp4\nwave/b.mp4\n")
    put(tmp_path / "activities" / "dev.txt", "wave/a.mp4\n")
    config = make_config(datasets={"activities": "activities"})

    pack(of_datasets(config, tmp_path), config.pictures, tmp_path / "pictures.zip")

    dark, bright = levels_of(unpack(tmp_path / "pictures.zip"))
    assert dark < bright


@pytest.mark.parametrize(("number", "share", "held"), [(40, 0.1, 4), (40, 0.001, 1), (2, 0.99, 1), (3, 0.9, 2)])
def test_one_block_is_held_back(number: int, share: float, held: int) -> None:
    pictures = torch.arange(number)[:, None, None, None]

    shown, held_back = split(pictures, share)

    assert len(held_back) == held
    first = int(held_back[0])
    assert held_back.flatten().tolist() == list(range(first, first + held))
    assert sorted([*shown.flatten().tolist(), *held_back.flatten().tolist()]) == list(range(number))
    assert abs(first - (number - first - held)) <= 1  # the middle


def test_one_picture_is_not_enough() -> None:
    with pytest.raises(DataError, match="at least two pictures, not 1"):
        split(make_pictures(1), 0.5)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    pack(greys(10, 20), CONFIG, tmp_path / "pictures.zip")
    content = (tmp_path / "pictures.zip").read_bytes()
    (tmp_path / "pictures.zip").write_bytes(content[: len(content) // 2])

    with pytest.raises(DataError, match=r"pictures\.zip is damaged, remove it to pack anew: "):
        unpack(tmp_path / "pictures.zip")
