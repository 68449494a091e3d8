"""Frames are turned and mirrored as their display matrix says."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import numpy as np
import pytest

from omninet.model.media.videos import decode_video
from tests.cases import case
from tests.model.media.painted import add_video, numbers, packets, painted, sampled

# Display matrix (a, b, c, d) -> what FFmpeg's autorotation does to an array (height, width, 3).
SHOWN: dict[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]] = {
    (1, 0, 0, 1): lambda a: a,
    (-1, 0, 0, 1): lambda a: a[:, ::-1],  # hflip
    (1, 0, 0, -1): lambda a: a[::-1],  # vflip
    (-1, 0, 0, -1): lambda a: a[::-1, ::-1],
    (0, 1, -1, 0): lambda a: a.transpose(1, 0, 2)[:, ::-1],  # transpose=clock
    (0, -1, 1, 0): lambda a: a.transpose(1, 0, 2)[::-1],  # transpose=cclock
    (0, 1, 1, 0): lambda a: a.transpose(1, 0, 2),  # transpose=cclock_flip
    (0, -1, -1, 0): lambda a: a.transpose(1, 0, 2)[::-1, ::-1],  # transpose=clock_flip
}


def turned(matrix: tuple[int, int, int, int], container: str = "mp4") -> bytes:
    """Return a clip of frame 5 with a display matrix."""
    a, b, c, d = (65536 * value for value in matrix)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = add_video(output, "libx264")
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        output.mux(packets(stream, 1, first=5))
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("matrix", SHOWN)
def test_every_display_matrix(matrix: tuple[int, int, int, int], container: str) -> None:
    (frame,) = decode_video(turned(matrix, container), 1).frames

    wanted = SHOWN[matrix](painted(5)).transpose(2, 0, 1)
    assert frame.shape == wanted.shape
    assert np.abs(frame.astype(int) - wanted).mean() < 8


def test_mirrored_files_that_people_sent() -> None:
    mirrored = decode_video(case("matrix_hflip.mp4"))
    transposed = decode_video(case("matrix_antitranspose.mp4"))

    mirrored.frames[:] = mirrored.frames[..., ::-1].copy()
    assert numbers(mirrored) == sampled(60)
    assert mirrored.frames[0, :, -4, 4].argmax() == 0  # red at the lower left
    stored = transposed.frames.transpose(0, 1, 3, 2)[..., ::-1, ::-1]
    assert np.abs(stored.astype(int) - mirrored.frames).mean() < 1
