"""Photos that are never trained on: found by name, and in copies that were scaled, encoded again or made lighter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from omninet.training.data import DataError
from omninet.training.data.exclusion import Exclusion, perceptual_hash
from tests.training.conftest import put
from tests.training.data.photos import encoded, picture

COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "squashed": lambda image: image.resize((224, 224)),
    "tiny": lambda image: image.resize((64, 40)),
    "encoded again": lambda image: encoded(image, 20),
    "lighter": lambda image: image.point(lambda value: 1.1 * value),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
}


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_found(change: str, seed: int) -> None:
    exclusion = Exclusion(hashes=[perceptual_hash(picture(seed)), perceptual_hash(picture(99))])

    assert exclusion.holds("another name.jpg", perceptual_hash(COPIES[change](picture(seed))))


def test_other_photos_are_not() -> None:
    exclusion = Exclusion(hashes=[perceptual_hash(picture(seed)) for seed in range(100)])

    found = [exclusion.holds(f"{seed}.jpg", perceptual_hash(picture(seed))) for seed in range(100, 300)]

    assert sum(found) == 0


def test_bits_tell_which_cells_grow_brighter_to_the_right() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 252, 28, dtype=np.uint8), (8, 1)))

    assert perceptual_hash(ramp) == 2**64 - 1
    assert perceptual_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 0


@pytest.mark.parametrize(("bits", "held"), [(0, True), (4, True), (5, False), (64, False)])
def test_four_bits_may_differ(bits: int, held: bool) -> None:
    assert Exclusion(hashes=[0]).holds("x", (1 << bits) - 1) is held


def test_a_list_has_names_or_hashes_or_both(tmp_path: Path) -> None:
    lines = "# test photos\nphotos/one.jpg\nffffffffffffffff\ntwo.png\t00000000000000ff\ta comment\n\n"

    put(tmp_path / "list.txt", lines)

    exclusion = Exclusion.read(tmp_path / "list.txt")

    assert exclusion.names == {"one", "two"}
    assert exclusion.hashes.tolist() == [255, 2**64 - 1]
    assert exclusion.holds("elsewhere/one.webp", 2**32)
    assert not exclusion.holds("three.jpg", 2**32)


def test_both_together() -> None:
    both = Exclusion(["a"], [1]) | Exclusion(["b"], [2])

    assert both.names == {"a", "b"}
    assert both.hashes.tolist() == [1, 2]


def test_photos_are_excluded_by_their_hashes_only(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "1.png")
    put(tmp_path / "2.png", b"no picture")

    exclusion = Exclusion.of_photos([tmp_path / "1.png", tmp_path / "2.png", tmp_path / "3.png"])

    assert not exclusion.names
    assert exclusion.hashes.tolist() == [perceptual_hash(picture(1))]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_malformed_list_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content:
        put(tmp_path / "list", content)
    with pytest.raises(DataError, match="list cannot be read as a list of photo names and hashes"):
        Exclusion.read(tmp_path / "list")


def test_the_nearest_hash() -> None:
    exclusion = Exclusion(hashes=[0, 0b111, 2**64 - 1])

    assert exclusion.nearest(0b11) == 0b111
    assert exclusion.nearest(1) == 0
    assert exclusion.nearest(0xFF00FF00) is None
    assert Exclusion().nearest(0) is None
