"""Pictures in which words are sought."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.errors import ConfigError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Resources
from omninet.model.modalities.page.config import PageConfig
from omninet.model.modalities.page.modality import PageModality
from omninet.model.modalities.page.peripheral import PagePeripheral
from omninet.model.modalities.page.tiles import tiles_of

CONFIG = PageConfig(width=128, most=512, channels=16)
MODALITY = PageModality(CONFIG)
RESOURCES = Resources(None, MediaLimits(), 100)  # type: ignore[arg-type]


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, height, width), np.uint8)


def test_a_picture_of_a_tiles_size_is_seen_as_it_is() -> None:
    pixels = noise(128, 96)
    (tile,) = tiles_of(pixels, CONFIG)

    np.testing.assert_array_equal(tile.pixels, pixels)
    assert (tile.left, tile.top, tile.scale, tile.part) == (0, 0, 1, (128, 96))


@pytest.mark.parametrize("size", [(500, 300), (512, 512), (128, 512), (170, 90), (512, 3)])
def test_tiles_cover_a_large_picture(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    whole, *parts = tiles_of(pixels, CONFIG)

    assert whole.part == size
    covered = np.zeros((size[1], size[0]), int)
    for tile in parts:
        left, top, wide, high = int(tile.left), int(tile.top), *map(int, tile.part)
        covered[top : top + high, left : left + wide] += 1
        np.testing.assert_array_equal(tile.pixels[:, :high, :wide], pixels[:, top : top + high, left : left + wide])
    assert covered.min() >= 1
    assert len(parts) < 40


def test_small_pictures_are_enlarged_a_little() -> None:
    (tile,) = tiles_of(noise(10, 10), CONFIG)

    assert tile.scale == 2
    assert (tile.pixels[:, 20:] == 128).all()


def test_large_pictures_are_scaled_and_keep_their_size() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1024, 700), "red").save(buffer, "JPEG")

    picture = MODALITY.decode("image", buffer.getvalue(), MediaLimits())

    assert (picture.pixels.shape, picture.full_size) == ((3, 350, 512), (1024, 700))


def test_a_page_survives_the_way_between_processes() -> None:
    decoded = MODALITY.decode("image", MODALITY.tiny_file("image"), MediaLimits())
    header, data = MODALITY.pack(decoded)

    found = MODALITY.unpack("image", header, data)

    np.testing.assert_array_equal(found.pixels, decoded.pixels)
    assert found.full_size == decoded.full_size == (513, 8)
    assert len(data) <= MODALITY.most_bytes(MediaLimits())


@pytest.mark.parametrize("change", [{"shape": (0, 9)}, {"shape": (9, 600)}, {"size": (-1, 5)}, {"size": (0, 0)}])
def test_impossible_sizes_are_refused(change: dict[str, Any]) -> None:
    decoded = MODALITY.decode("image", MODALITY.tiny_file("image"), MediaLimits())
    header, data = MODALITY.pack(decoded)

    with pytest.raises(ValueError, match="is impossible"):
        MODALITY.unpack("image", header | change, data)


def test_cells_are_rows_of_one_time_step_and_pictures_are_independent() -> None:
    torch.manual_seed(0)
    peripheral = PagePeripheral(CONFIG, 16).eval()
    rows = [MODALITY.prepare("picture", "image", MODALITY.sample(i), RESOURCES).value for i in range(3)]

    together, mask = peripheral(peripheral.collate(rows))

    assert mask is None
    assert together.shape == (3, 1, (96 // 8) * (128 // 8), 16)
    for row, found in zip(rows, together, strict=True):
        alone, _ = peripheral(peripheral.collate([row]))
        torch.testing.assert_close(alone[0], found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 100}, "width must be divisible by 128"),
        ({"channels": 20}, "channels must be divisible by 16"),
        ({"most": 100}, "most must be at least the width of a tile, 512"),
    ],
)
def test_a_config_that_cannot_be(values: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PageConfig(**values)
