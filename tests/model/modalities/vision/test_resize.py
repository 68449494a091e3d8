"""Resizing is torch's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from omninet.model.modalities.vision.resize import CACHED, resize

SIDES = st.integers(2, 90)  # torch itself fails on some pictures of one row or column
pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="without AVX2 torch resizes in floating point"
)


def torchs(frames: np.ndarray, height: int, width: int, antialias: bool) -> np.ndarray:
    """Return what torch makes of frames."""
    resized = interpolate(torch.from_numpy(frames), (height, width), mode="bilinear", antialias=antialias)
    found: np.ndarray = resized.numpy()
    return found


@settings(max_examples=60, deadline=None)
@given(sides=st.tuples(SIDES, SIDES, SIDES, SIDES), antialias=st.booleans(), seed=st.integers(0, 99))
def test_any_size_to_any_other(sides: tuple[int, int, int, int], antialias: bool, seed: int) -> None:
    rows, columns, height, width = sides
    frames = np.random.default_rng(seed).integers(0, 256, (2, 3, rows, columns), dtype=np.uint8)

    assert np.array_equal(resize(frames, height, width, antialias), torchs(frames, height, width, antialias))


# Sums of the last two do not fit into float32; the weights of the very last are not kept.
@pytest.mark.parametrize("shape", [(224, 224), (480, 640), (2000, 90), (2, CACHED + 5)])
@pytest.mark.parametrize("antialias", [True, False])
def test_pictures_of_real_sizes(shape: tuple[int, int], antialias: bool) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, *shape), dtype=np.uint8)

    assert np.array_equal(resize(frames, 224, 224, antialias), torchs(frames, 224, 224, antialias))


def test_extremes_stay_in_range() -> None:
    frames = np.kron(np.array([[0, 255], [255, 0]], np.uint8), np.ones((7, 5), np.uint8))[None, None]

    assert np.array_equal(resize(frames, 5, 9), torchs(frames, 5, 9, True))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_a_single_row_or_column_is_spread(shape: tuple[int, int]) -> None:
    frames = np.full((1, 3, *shape), 77, np.uint8)

    assert (resize(frames, 4, 6) == 77).all()
