"""Tests of decoded pictures and clips on their way from a media process."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omninet.model.media.images import Picture
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.base import Resources
from omninet.model.modalities.vision.config import Framing, VisionConfig
from omninet.model.modalities.vision.modality import VisionModality
from omninet.model.predictor import Predictor
from tests.samples import jpeg_bytes, video_bytes

VISION = VisionModality(VisionConfig(backbone="compact", size=64))
FILES = {"image": jpeg_bytes(90, 60), "video": video_bytes(width=96, height=64)}


@pytest.mark.parametrize("form", FILES)
def test_the_proportions_of_a_file_survive_fitting(form: str, resources: Resources) -> None:
    value = VISION.decode(form, FILES[form], MediaLimits())
    header, data = VISION.pack(value)
    ready = VISION.prepare("image", form, VISION.unpack(form, header, data), resources)

    assert ready.aspect == VISION.framed(ready).aspect == 1.5
    assert VISION.prepare("image", form, FILES[form], resources).aspect == 1.5


@pytest.mark.parametrize(("draft", "decoded"), [(0, False), (2, True), (4, False)])
def test_a_large_jpeg_is_decoded_as_small_as_the_framing_allows(
    draft: int, decoded: bool, resources: Resources
) -> None:
    vision = VisionModality(VisionConfig(backbone="compact", size=64, image=Framing(draft=draft)))
    file = jpeg_bytes(360, 260)
    whole = VISION.decode("image", file, MediaLimits())

    found = vision.decode("image", file, MediaLimits())

    assert isinstance(found, Picture)
    assert isinstance(whole, Picture)
    assert np.array_equal(found.pixels, whole.pixels) != decoded
    assert (found.full_size, found.aspect) == ((360, 260), 360 / 260)
    assert np.array_equal(vision.prepare("image", "image", file, resources).value[0], found.pixels)


@pytest.mark.parametrize("aspect", [0, -1, math.nan, math.inf, "x"])
def test_impossible_proportions_are_refused(aspect: object) -> None:
    header, data = VISION.pack(VISION.decode("image", FILES["image"], MediaLimits()))

    with pytest.raises(ValueError, match=r"aspect|convert"):
        VISION.unpack("image", header | {"aspect": aspect}, data)


@pytest.fixture
def resources(toy_predictor: Predictor) -> Resources:
    return toy_predictor.resources
