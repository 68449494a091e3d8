"""Augmented pixels of pictures and clips for training; decoded clips are cached on disk."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.model.modalities.vision.config import VisionConfig
from omninet.training.pipeline.augment import augment
from omninet.training.pipeline.squares import fit_tensor
from omninet.training.pipeline.views import View

PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}  # all other suffixes are clips
LOG = logging.getLogger(__name__)
LIMIT = 20 * 2**30  # bytes of decoded clips; HMDB51 needs about 15 GiB
MARGIN = 1.15  # shorter side of a cached clip, relative to the size of the network's input
SHARERS = 16  # maximum number of processes that fill one cache


class Frames:
    """Augmented pixels of pictures and clips.

    Args:
        folder: cache for decoded clips; can be shared by threads and processes.
        limit: maximum bytes of the cache; clips that do not fit are decoded each time.
    """

    def __init__(self, config: VisionConfig, folder: Path, limit: int = LIMIT) -> None:
        self.config = config
        self.cache = ClipCache(folder, config, limit)

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> tuple[Tensor, View]:
        """Return a view, uint8 RGB (t, 3, size, size); t is 1 for a picture and ``config.frames`` for a clip.

        What the view shows is returned as well.

        Args:
            plain: whether to return the whole picture, only resized, instead of a random view.

        Raises:
            InputError: the file cannot be decoded; the message names it.
            OSError: the file cannot be read.
        """
        try:
            is_picture = path.suffix.lower() in PICTURES
            frames = _picture(path) if is_picture else self.cache.get(path)
        except InputError as error:
            raise InputError(error.code, f"{path}: {error.message}", **error.detail) from error
        if plain:
            return fit_tensor(frames, self.config.image if is_picture else self.config.video, self.config.size), View()
        return augment(frames, self.config, generator)


class ClipCache:
    """Cache of frames sampled from clips, reduced in size, with one file per clip.

    Args:
        config: number and sampling of the frames, and size of the network's input.
        limit: maximum bytes of all files together.
    """

    def __init__(self, folder: Path, config: VisionConfig, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.frames, self.sampling, self.side = config.frames, config.sampling, round(MARGIN * config.size)
        self._allowance = 0
        self._full = False
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, path: Path) -> Tensor:
        """Return the frames of a clip, uint8 RGB (frames, 3, height, width).

        Raises:
            InputError, OSError: the clip cannot be decoded or read.
        """
        stored = self.folder / f"{self._key(path)}.npy"
        try:
            # Memory mapping reads only the pages that a view needs; torch accepts the copy-on-write mode "c".
            return torch.from_numpy(np.load(stored, mmap_mode="c"))
        except (OSError, ValueError, EOFError):  # missing or damaged
            frames = self._decode(path)
            if self._admits(frames.nbytes):
                self._store(frames, stored)
            return frames

    def _key(self, path: Path) -> str:
        file = path.stat()
        key = f"{path.resolve()} {file.st_size} {file.st_mtime_ns} {self.frames} {self.sampling} {self.side}"
        return hashlib.sha256(key.encode()).hexdigest()[:32]

    def _decode(self, path: Path) -> Tensor:
        frames = torch.from_numpy(decode_video(path.read_bytes(), self.frames, sampling=self.sampling).frames)
        if min(frames.shape[-2:]) > self.side:
            frames = transforms.resize(frames, [self.side], antialias=True)
        return frames

    def _admits(self, size: int) -> bool:
        """Return whether there is room for a clip of this size in bytes.

        A process measures the folder, reserves its share of the free room, and measures again once that is used up, so
        the limit holds without communication between the processes.
        """
        if size > self._allowance and not self._full:
            self._allowance = (self.limit - _bytes_in(self.folder)) // SHARERS
            self._full = size > self._allowance
        if self._full:
            return False
        self._allowance -= size
        return True

    def _store(self, frames: Tensor, target: Path) -> None:
        """Write atomically; another process may be writing the same clip."""
        part = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            with part.open("wb") as file:
                np.save(file, frames.numpy())
            part.replace(target)
        except OSError as error:
            self._full = True
            LOG.warning("decoded clips are no longer cached in %s: %s", self.folder, error.strerror)
            part.unlink(missing_ok=True)


def _picture(path: Path) -> Tensor:
    """Return a picture, uint8 RGB (1, 3, height, width)."""
    return torch.from_numpy(decode_image(path.read_bytes()).pixels)[None]


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in os.scandir(folder):
        with suppress(FileNotFoundError):  # another process has renamed its temporary file
            total += file.stat().st_size
    return total
