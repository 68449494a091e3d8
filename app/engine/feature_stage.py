"""Frames through the backbone."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from omninet.app.engine.admission import Intake
from omninet.app.engine.fair_scheduler import Turns
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.stage import Stage
from omninet.app.engine.work import Kind, Work
from omninet.model.predictor import Predictor

# Of the backbone's time, while there are both.
WEIGHTS: dict[Kind, float] = {"image": 2.0, "video": 1.0}


class VisionStage(Stage):
    """Takes images and videos, and brings their frames through the backbone, a few at a time.

    Args:
        frames: that go through the backbone at once.

    Attributes:
        seen: work whose frames have been, which nobody has taken yet.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics, frames: int) -> None:
        super().__init__(predictor, intake, metrics)
        self.seen: list[Work] = []
        self._frames = frames
        self._turns = Turns(WEIGHTS)

    def take_seen(self) -> list[Work]:
        """What is seen, for another thread to go on with."""
        with self.intake.queue.changed:
            taken, self.seen = self.seen, []
            return taken

    def _begin_anew(self) -> None:
        self._unseen: dict[Kind, list[Work]] = {kind: [] for kind in WEIGHTS}

    def _inside(self) -> list[Work]:
        return [work for works in self._unseen.values() for work in works]

    def _wait(self) -> bool:
        return bool(self._inside()) or self.intake.wait(tuple(WEIGHTS))

    def _advance(self) -> None:
        for work in self.intake.take(tuple(WEIGHTS)):
            self._unseen[work.kind].append(work)
        for works in self._unseen.values():
            self._let_go([work for work in works if work.abandoned])
            works[:] = [work for work in works if not work.abandoned]
        if wanted := [kind for kind, works in self._unseen.items() if works]:
            kind = self._turns.next(wanted)
            started = time.perf_counter()
            self._see(self._unseen[kind])
            self._turns.charge(kind, time.perf_counter() - started)

    def _see(self, works: list[Work]) -> None:
        """Bring the next frames of the oldest works through the backbone."""
        peripheral, parts = _next_frames(works, self._frames)
        started = time.perf_counter()
        try:
            found = self.predictor.see(np.concatenate([frames for _, frames in parts]), peripheral)
        except Exception as error:
            failed = [work for work, _ in parts]
            works[:] = [work for work in works if work not in failed]
            self._part_with(failed, error)
            return
        self.metrics.frames.inc(len(found))
        spent = 1e3 * (time.perf_counter() - started)
        for (work, frames), features in zip(parts, torch.split(found, [len(f) for _, f in parts]), strict=True):
            work.features.append(features)
            work.encode_ms += spent * len(frames) / len(found)
        seen = [work for work, _ in parts if work.is_seen]
        works[:] = [work for work in works if work not in seen]
        with self.intake.queue.changed:
            self.seen += seen
            self.intake.queue.changed.notify_all()


def _next_frames(works: Sequence[Work], count: int) -> tuple[str, list[tuple[Work, np.ndarray]]]:
    """At most ``count`` frames that have not been seen yet, of the oldest works, all for one peripheral: its name."""
    peripheral, _ = works[0].unseen()
    parts: list[tuple[Work, np.ndarray]] = []
    for work in works:
        wanted, frames = work.unseen()
        if count > 0 and wanted == peripheral:
            parts.append((work, frames[:count]))
            count -= len(frames[:count])
    return peripheral, parts
