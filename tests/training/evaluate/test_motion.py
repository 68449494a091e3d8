"""Photos in motion: what moves, and that it always moves alike."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from omninet.training.evaluate.motion import PAN, ZOOM, Window, in_motion, path

PHOTO = np.repeat((np.arange(48 * 64).reshape(1, 48, 64) / 12).astype(np.uint8), 3, 0)


def paths(count: int = 200) -> list[tuple[Window, Window]]:
    return [path(random.Random(f"photo {i}")) for i in range(count)]


def test_a_clip_of_sixteen_frames_of_the_photos_size() -> None:
    clip = in_motion(PHOTO, "dog.jpg")

    assert clip.frames.shape == (16, 3, 48, 64)
    assert clip.frames.dtype == np.uint8
    assert len(set(clip.times)) == 16
    assert clip.times[-1] < clip.duration
    assert not clip.truncated


def test_the_name_decides() -> None:
    clips = [in_motion(PHOTO, f"{i}.jpg").frames for i in range(8)]

    assert np.array_equal(clips[0], in_motion(PHOTO, "0.jpg").frames)
    assert any(not np.array_equal(clips[0], other) for other in clips[1:])


def test_every_frame_differs_from_the_next() -> None:
    gradient = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij")).astype(np.uint8)
    photo = np.concatenate([gradient, gradient[:1]])

    for i in range(10):
        frames = in_motion(photo, f"{i}.jpg").frames
        assert all(not np.array_equal(a, b) for a, b in pairwise(frames))


def test_the_window_stays_inside() -> None:
    for window in (w for ends in paths() for w in ends):
        assert 0 <= window.left <= window.left + window.side <= 1 + 1e-9
        assert 0 <= window.top <= window.top + window.side <= 1 + 1e-9


def test_there_are_zooms_and_pans_of_all_kinds() -> None:
    kinds = set()
    for start, end in paths():
        moved = (end.left - start.left, end.top - start.top)
        kinds.add((round(end.side - start.side, 6), *(round(m, 6) for m in moved if start.side == end.side)))

    across = round(1 - PAN, 6)
    pans = {(0.0, across, 0.0), (0.0, -across, 0.0), (0.0, 0.0, across), (0.0, 0.0, -across)}
    assert kinds == pans | {(round(1 - ZOOM, 6),), (round(ZOOM - 1, 6),)}


def test_a_zoom_begins_or_ends_with_the_whole_photo() -> None:
    name = next(str(i) for i in range(99) if path(random.Random(str(i)))[0] == Window(0.0, 0.0, 1.0))

    frames = in_motion(PHOTO, name).frames

    assert np.array_equal(frames[0], PHOTO)
    assert not np.array_equal(frames[-1], PHOTO)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 3)])
def test_tiny_photos(size: tuple[int, int]) -> None:
    assert in_motion(np.zeros((3, *size), np.uint8), "x").frames.shape == (16, 3, *size)
