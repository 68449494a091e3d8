"""Pictures of one line of text as inputs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.errors import ConfigError, InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Resources
from omninet.model.modalities.line.config import LineConfig
from omninet.model.modalities.line.modality import LineModality
from omninet.model.modalities.line.peripheral import LinePeripheral

CONFIG = LineConfig(height=32, width=64, channels=32)
MODALITY = LineModality(CONFIG)
RESOURCES = Resources(None, MediaLimits(), 100)  # type: ignore[arg-type]


def striped(width: int = 90, height: int = 20) -> Image.Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, ::10] = (200, 100, 50)
    return Image.fromarray(pixels)


def prepared(value: Any) -> np.ndarray:
    found: np.ndarray = MODALITY.prepare("picture", "image", value, RESOURCES).value
    return found


def test_files_images_and_arrays_are_scaled_alike() -> None:
    image, buffer = striped(), io.BytesIO()
    image.save(buffer, "PNG")

    found = [prepared(value) for value in (image, buffer.getvalue(), np.asarray(image))]

    assert found[0].shape == (3, 32, 64)
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize(
    "array", [np.zeros((3, 20, 30), np.uint8), np.zeros((20, 30, 3)), np.zeros((0, 3, 3), np.uint8)]
)
def test_an_array_that_is_no_picture(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="must be uint8") as caught:
        prepared(array)

    assert caught.value.code == "bad_array"


def test_a_picture_survives_the_way_between_processes() -> None:
    decoded = MODALITY.decode("image", MODALITY.tiny_file("image"), MediaLimits())
    header, data = MODALITY.pack(decoded)

    found = MODALITY.unpack("image", header, data)

    np.testing.assert_array_equal(prepared(found), decoded.pixels)
    assert len(data) == MODALITY.most_bytes(MediaLimits())
    with pytest.raises(ValueError, match="reshape"):
        MODALITY.unpack("image", header, data[:-1])


def test_columns_are_time_steps_and_rows_are_independent() -> None:
    torch.manual_seed(0)
    peripheral = LinePeripheral(CONFIG, 16).eval()
    rows = [prepared(striped(width)) for width in (40, 90, 200)]

    together, mask = peripheral(peripheral.collate(rows))

    assert mask is None
    assert together.shape == (3, CONFIG.steps, CONFIG.cells, 16) == (3, 16, 4, 16)
    for row, encoded in zip(rows, together, strict=True):
        torch.testing.assert_close(peripheral(peripheral.collate([row]))[0][0], encoded)


def test_samples_differ() -> None:
    assert not np.array_equal(prepared(MODALITY.sample(0)), prepared(MODALITY.sample(1)))


@pytest.mark.parametrize("wrong", [{"height": 20}, {"width": 30}, {"channels": 40}, {"dropout": -0.1}])
def test_a_configuration_that_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LineConfig(**wrong)
