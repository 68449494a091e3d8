"""First stage: features of images and videos by the backbone (a convolutional network)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from omninet.app.engine.admission import Intake
from omninet.app.engine.fair_scheduler import FairScheduler
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.stage import Stage
from omninet.app.engine.threads import both_threads
from omninet.app.engine.work import Kind, Work
from omninet.model.predictor import Predictor

# Shares of the backbone's time while images and videos are waiting.
WEIGHTS: dict[Kind, float] = {"image": 2.0, "video": 1.0}


class VisionStage(Stage):
    """Computes the backbone's features of images and videos, a few frames at a time.

    While the CNP stage waits, the backbone has the threads of both stages.

    Args:
        predictor: runs the model.
        intake: supplies works.
        metrics: of the engine.
        frames: batch size of the backbone.

    Attributes:
        ready: works with all features that the CNP stage has not taken yet.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics, frames: int) -> None:
        super().__init__(predictor, intake, metrics)
        self.ready: list[Work] = []
        self._frames = frames
        self._scheduler = FairScheduler(WEIGHTS)
        self._both, self._is_alone = both_threads(self.threads), False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let the backbone use the threads of both stages; called by the thread of the CNP stage, which waits."""
        self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False

    def take_ready(self) -> list[Work]:
        """Remove and return the works with all features; called by the thread of the CNP stage."""
        with self.intake.queue.changed:
            taken, self.ready = self.ready, []
            return taken

    def _reset(self) -> None:
        self._waiting: dict[Kind, list[Work]] = {kind: [] for kind in WEIGHTS}

    def _pending(self) -> list[Work]:
        return [work for works in self._waiting.values() for work in works]

    def _wait(self) -> bool:
        return bool(self._pending()) or self.intake.wait(tuple(WEIGHTS))

    def _advance(self) -> None:
        for work in self.intake.take(tuple(WEIGHTS)):
            self._waiting[work.kind].append(work)
        for works in self._waiting.values():
            self._release_abandoned([work for work in works if work.abandoned])
            works[:] = [work for work in works if not work.abandoned]
        if busy := [kind for kind, works in self._waiting.items() if works]:
            kind = self._scheduler.next(busy)
            started = time.perf_counter()
            self._extract_features(self._waiting[kind])
            self._scheduler.charge(kind, time.perf_counter() - started)

    def _extract_features(self, works: list[Work]) -> None:
        """Run the backbone on the next frames of the oldest works; move works with all features to ``ready``."""
        peripheral, parts = _next_frames(works, self._frames)
        started = time.perf_counter()
        torch.set_num_threads(self._both if self._is_alone else self.threads)
        try:
            found = self.predictor.see(np.concatenate([part.frames for part in parts]), peripheral)
        except Exception as error:
            failed = [work for part in parts for work in part.works]
            works[:] = [work for work in works if work not in failed]
            self._isolate_failures(failed, error)
            return
        self.metrics.frames.inc(len(found))
        spent = 1e3 * (time.perf_counter() - started)
        for part, features in zip(parts, torch.split(found, [len(part.frames) for part in parts]), strict=True):
            for work in part.works:
                work.features.append(features)
                work.encode_ms += spent * len(part.frames) / len(found) / len(part.works)
        done = [work for part in parts for work in part.works if work.has_all_features]
        works[:] = [work for work in works if work not in done]
        with self.intake.queue.changed:
            self.ready += done
            self.intake.queue.changed.notify_all()


@dataclass(frozen=True)
class SharedFrames:
    """Frames of a batch, (f, 3, size, size), and the works that show them: the backbone sees a picture once."""

    frames: np.ndarray
    works: list[Work]


def _next_frames(works: Sequence[Work], count: int) -> tuple[str, list[SharedFrames]]:
    """Select the next batch of frames for the backbone.

    Returns:
        The name of the oldest work's peripheral, and the next frames of the works that use it, at most ``count`` in
        all.
    """
    peripheral, _ = works[0].next_frames()
    parts: dict[Any, SharedFrames] = {}
    for work in works:
        wanted, frames = work.next_frames()
        # Works with the same frames may be at different frames of a video.
        key = (work.shown, len(frames))
        if wanted == peripheral and key in parts:
            parts[key].works.append(work)
        elif wanted == peripheral and count > 0:
            parts[key] = SharedFrames(frames[:count], [work])
            count -= len(parts[key].frames)
    return peripheral, list(parts.values())
