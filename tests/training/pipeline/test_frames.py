"""Pixels to train on, and the cache of decoded clips."""

from __future__ import annotations

import logging
import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.config import Sampling
from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.model.modalities.vision.config import VisionConfig
from omninet.training.pipeline import frames as reading
from omninet.training.pipeline.augment import augment
from omninet.training.pipeline.frames import LIMIT, SHARERS, ClipCache, Frames
from omninet.training.pipeline.squares import fit_tensor
from tests.samples import jpeg_bytes, video_bytes
from tests.training.conftest import put

CONFIG = VisionConfig(backbone="compact", size=32, frames=4)
CLIP_BYTES = 4 * 3 * 37 * 49  # 64 x 48 at a shorter side of 37


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 24 frames."""
    path = tmp_path / "clips" / "clip.mp4"
    put(path, video_bytes())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the cache."""
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each clip that is decoded."""
    calls: list[int] = []

    def decode(data: bytes, frames: int, sampling: Sampling) -> object:
        calls.append(frames)
        return decode_video(data, frames, sampling=sampling)

    monkeypatch.setattr(reading, "decode_video", decode)
    return calls


def view(frames: Frames, path: Path, seed: int = 0) -> Tensor:
    """One view, always the same."""
    return frames.get(path, random.Random(seed))[0]


@pytest.mark.parametrize("name", ["photo.jpg", "photo.JPEG", "photo.png"])
def test_a_photo_is_one_frame(tmp_path: Path, folder: Path, name: str, generator: random.Random) -> None:
    put(tmp_path / name, jpeg_bytes())
    frames = Frames(CONFIG, folder)

    pixels = [frames.get(tmp_path / name, generator)[0] for _ in range(2)]

    assert pixels[0].shape == (1, 3, 32, 32)
    assert pixels[0].dtype == torch.uint8
    assert not torch.equal(*pixels)
    assert list(folder.iterdir()) == []


def test_a_plain_view_is_what_serving_sees(tmp_path: Path, folder: Path, generator: random.Random) -> None:
    put(tmp_path / "photo.jpg", jpeg_bytes())

    pixels, _ = Frames(CONFIG, folder).get(tmp_path / "photo.jpg", generator, plain=True)

    served = torch.from_numpy(decode_image(jpeg_bytes()).pixels)[None]
    assert torch.equal(pixels, fit_tensor(served, CONFIG.image, CONFIG.size))


@pytest.mark.parametrize(
    ("container", "name"), [("mp4", "a.mp4"), ("avi", "a.AVI"), ("webm", "a.webm"), ("gif", "a.gif")]
)
def test_a_clip_is_all_its_frames(tmp_path: Path, folder: Path, container: str, name: str) -> None:
    put(tmp_path / name, video_bytes(container))

    pixels = view(Frames(CONFIG, folder), tmp_path / name)

    assert pixels.shape == (4, 3, 32, 32)
    brightness = pixels.float().mean((1, 2, 3))
    assert (brightness.diff() > 5).all()


def test_a_clip_is_decoded_once(clip: Path, folder: Path, decoded: list[int]) -> None:
    first = view(Frames(CONFIG, folder), clip)
    others = [view(Frames(CONFIG, folder), clip), view(Frames(CONFIG, folder), clip, seed=1)]

    assert decoded == [4]
    assert torch.equal(first, others[0])
    assert not torch.equal(first, others[1])
    assert [path.suffix for path in folder.iterdir()] == [".npy"]


def test_cached_clips_are_small_and_not_augmented(clip: Path, folder: Path) -> None:
    pixels = view(Frames(CONFIG, folder), clip)

    stored = np.load(next(folder.iterdir()))
    assert stored.shape == (4, 3, 37, 49)
    assert stored.dtype == np.uint8
    assert torch.equal(augment(torch.from_numpy(stored), CONFIG, random.Random(0))[0], pixels)
    served = torch.from_numpy(decode_video(clip.read_bytes(), 4).frames).float().mean((1, 2, 3))
    assert torch.allclose(torch.from_numpy(stored).float().mean((1, 2, 3)), served, atol=1)


def test_frames_are_those_that_the_configuration_asks_for(clip: Path, folder: Path) -> None:
    ClipCache(folder, replace(CONFIG, sampling="stride"), LIMIT).get(clip)

    wanted = decode_video(clip.read_bytes(), 4, sampling="stride").frames
    spread = decode_video(clip.read_bytes(), 4).frames
    stored = np.load(next(folder.iterdir()))
    small = [transforms.resize(torch.from_numpy(frames), [37], antialias=True).numpy() for frames in (wanted, spread)]
    assert [np.array_equal(stored, frames) for frames in small] == [True, False]


def test_small_clips_stay_as_they_are(clip: Path, folder: Path) -> None:
    view(Frames(VisionConfig(size=64, frames=4), folder), clip)

    assert np.array_equal(np.load(next(folder.iterdir())), decode_video(clip.read_bytes(), 4).frames)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        VisionConfig(size=32, frames=3),
        VisionConfig(size=33, frames=4),
        VisionConfig(size=32, frames=4, sampling="stride"),
    ],
)
def test_a_changed_clip_or_configuration_is_decoded_anew(
    clip: Path, folder: Path, decoded: list[int], config: VisionConfig
) -> None:
    view(Frames(CONFIG, folder), clip)
    if config is CONFIG:
        file = clip.stat()
        os.utime(clip, ns=(file.st_atime_ns, file.st_mtime_ns + 1))

    view(Frames(config, folder), clip)

    assert decoded == [4, config.frames]


def test_the_same_clip_by_another_path(clip: Path, folder: Path, decoded: list[int]) -> None:
    for path in (clip, clip.parent / ".." / "clips" / "clip.mp4"):
        view(Frames(CONFIG, folder), path)

    assert len(decoded) == 1


@pytest.mark.parametrize("keep", [0, 20, 1000])
def test_a_damaged_file_of_the_cache_is_replaced(clip: Path, folder: Path, decoded: list[int], keep: int) -> None:
    first = view(Frames(CONFIG, folder), clip)
    stored = next(folder.iterdir())
    stored.write_bytes(stored.read_bytes()[:keep])

    views = [view(Frames(CONFIG, folder), clip) for _ in range(2)]

    assert len(decoded) == 2
    assert all(torch.equal(other, first) for other in views)


def clips_of(folder: Path, count: int) -> list[Path]:
    """Distinct clips of one size."""
    paths = [folder / f"{i}.mp4" for i in range(count)]
    for path in paths:
        put(path, video_bytes(frames=4))
    return paths


def test_the_limit_holds(tmp_path: Path, folder: Path, decoded: list[int]) -> None:
    limit = (SHARERS + 6) * CLIP_BYTES
    paths = clips_of(tmp_path, 10)
    for _ in range(2):
        frames = Frames(CONFIG, folder, limit)
        for path in paths:
            view(frames, path)

    stored = len(list(folder.iterdir()))
    assert 4 <= stored <= 6
    assert len(decoded) == 10 + 10 - stored


def test_many_processes_hold_the_limit_together(tmp_path: Path, folder: Path) -> None:
    limit = 3 * SHARERS * CLIP_BYTES
    paths = clips_of(tmp_path, 4 * SHARERS)
    sharers = [Frames(CONFIG, folder, limit) for _ in range(SHARERS)]
    for i, path in enumerate(paths):
        view(sharers[i % SHARERS], path)

    assert limit / 2 < sum(path.stat().st_size for path in folder.iterdir()) <= limit


def test_a_full_disk_only_disables_the_cache(
    clip: Path, folder: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def save(file: object, values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", save)
    frames = Frames(CONFIG, folder)
    with caplog.at_level(logging.WARNING):
        views = [view(frames, clip) for _ in range(2)]

    assert torch.equal(*views)
    assert len(decoded) == 2
    assert list(folder.iterdir()) == []
    assert [r.getMessage() for r in caplog.records] == [
        f"decoded clips are no longer cached in {folder}: No space left on device"
    ]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("photo.jpg", b"", "empty_file"),
        ("photo.jpg", b"no photo", "not_an_image"),
        ("clip.mp4", b"", "empty_file"),
        ("clip.mp4", b"no clip", "not_a_video"),
    ],
)
def test_a_corrupt_file_is_named(tmp_path: Path, folder: Path, name: str, content: bytes, code: str) -> None:
    put(tmp_path / name, content)

    with pytest.raises(InputError, match=rf"^{tmp_path / name}: the ") as caught:
        view(Frames(CONFIG, folder), tmp_path / name)

    assert caught.value.code == code
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["photo.jpg", "clip.mp4"])
def test_a_missing_file_is_named(tmp_path: Path, folder: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        view(Frames(CONFIG, folder), tmp_path / name)


def test_threads_share_a_cache(clip: Path, folder: Path) -> None:
    frames = Frames(CONFIG, folder)
    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(view, [frames] * 16, [clip] * 16))

    assert all(torch.equal(other, views[0]) for other in views)
    assert [path.suffix for path in folder.iterdir()] == [".npy"]


def test_frames_can_be_pickled(clip: Path, folder: Path) -> None:
    frames = Frames(CONFIG, folder)

    assert torch.equal(view(pickle.loads(pickle.dumps(frames)), clip), view(frames, clip))
