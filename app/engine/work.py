"""The work queue: rows to be processed by the model, with futures for their results."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from omninet.app.engine.result import Watch
from omninet.app.errors import ServiceError, overloaded, shutting_down
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.rows import Row

Kind = Literal["text", "image", "video"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(eq=False)
class Work:
    """A row in progress.

    Attributes:
        row: inputs and goal.
        answer: future of the result.
        abandoned: whether its request was cancelled.
        features: features of the frames that have passed the backbone, in order, each (f, s, channels).
        since: number of the decoder step at which it became ready for encoding.
        admitted: time at which it joined the running batch, in seconds of ``perf_counter``.
        encode_ms: milliseconds of backbone and encoder for this row.
        batch_rows: size of the running batch when it joined, including itself.
        watch: called with the final prefix of its outputs each time it grows.
        notified: number of outputs that ``watch`` has received.
    """

    row: Row
    answer: Future[Decoded] = field(default_factory=Future)
    abandoned: bool = False
    features: list[Tensor] = field(default_factory=list)
    since: int = 0
    admitted: float = 0.0
    encode_ms: float = 0.0
    batch_rows: int = 1
    watch: Watch | None = None
    notified: int = 0

    @property
    def frames(self) -> int:
        """Number of frames for the backbone: 0 for a text, 1 for an image."""
        return sum(given.frames for given in self.row.inputs)

    @property
    def kind(self) -> Kind:
        """Kind of work, by the cost of its encoding."""
        if not self.frames:
            return "text"
        return "image" if self.frames == 1 else "video"

    @cached_property
    def bytes(self) -> int:
        """Size of the inputs in bytes."""
        return sum(_size(given.value) for given in self.row.inputs)

    @cached_property
    def shown(self) -> tuple[Any, ...]:
        """Key that is equal for rows with the same frames, such as several requests about one picture."""
        return tuple((given.peripheral, hash(given.value.tobytes())) for given in self.row.inputs if given.frames)

    @property
    def has_all_features(self) -> bool:
        """Whether all frames have passed the backbone."""
        return sum(map(len, self.features)) == self.frames

    def next_frames(self) -> tuple[str, np.ndarray]:
        """Return the name of the next peripheral and the frames of its input without features, (f, 3, size, size).

        Raises:
            ValueError: all frames have features.
        """
        seen = sum(map(len, self.features))
        for given in self.row.inputs:
            if seen < given.frames:
                return given.peripheral, given.value[seen:]
            seen -= given.frames
        raise ValueError("all frames have features already")

    def row_with_features(self) -> Row:
        """Return the row with the frames of each input replaced by their features, (t, s, channels)."""
        if not self.frames:
            return self.row
        # Each part of the features belongs to one input: next_frames returns frames of one input only.
        parts, inputs = iter(self.features), []
        for given in self.row.inputs:
            found: list[Tensor] = []
            while sum(map(len, found)) < given.frames:
                found.append(next(parts))
            inputs.append(given._replace(value=torch.cat(found)) if found else given)
        return replace(self.row, inputs=tuple(inputs))

    def notify(self, settled: Hypothesis) -> None:
        """Call ``watch`` with the final prefix of the outputs if it has grown."""
        if self.watch is not None and len(settled.tokens) > self.notified:
            self.notified = len(settled.tokens)
            self.watch(settled)

    def finish(self, decoded: Decoded) -> None:
        """Complete the row with its result."""
        decoded.encode_ms, decoded.decode_ms = self.encode_ms, 1e3 * (time.perf_counter() - self.admitted)
        decoded.batch_rows = self.batch_rows
        with suppress(InvalidStateError):  # the request has just been cancelled
            self.answer.set_result(decoded)

    def fail(self, error: ServiceError) -> None:
        """Complete the row with an error."""
        with suppress(InvalidStateError):
            self.answer.set_exception(error)


def _size(value: Any) -> int:
    """Return the size in bytes of an array or of nested tuples of arrays."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(_size, value)) if isinstance(value, tuple) else 0


class WorkQueue:
    """Rows of all kinds that no replica has taken yet, limited by number and size (back-pressure).

    Args:
        max_rows: number of rows from which on requests are rejected.
        max_bytes: size of all rows from which on requests are rejected.

    Attributes:
        changed: condition variable; held during changes and notified of them.
    """

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._waiting: dict[Kind, deque[Work]] = {kind: deque() for kind in KINDS}
        self.changed = threading.Condition()
        self._closed = False

    def put(self, works: Collection[Work]) -> None:
        """Add the rows of one request, all or none.

        Raises:
            ServiceError: ``overloaded``: the queue is full; ``shutting_down``: it is closed.
        """
        with self.changed:
            if self._closed:
                raise shutting_down()
            # A queue below its limits accepts a request of any size: otherwise a very long text could never be run.
            if self._is_full():
                raise overloaded("too many requests are waiting for the model; try again in a moment")
            for work in works:
                self._waiting[work.kind].append(work)
            self.changed.notify_all()

    def take(self, room: Mapping[Kind, int]) -> list[Work]:
        """Remove and return the oldest works of each kind, up to the given numbers; abandoned works are discarded."""
        with self.changed:
            return [work for kind, count in room.items() for work in self._take(kind, count)]

    @property
    def is_closed(self) -> bool:
        """Whether new work is rejected."""
        return self._closed

    def close(self) -> None:
        """Reject new work from now on."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()

    def closes_within(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the queue to be closed; return whether it is."""
        with self.changed:
            return self.changed.wait_for(lambda: self._closed, seconds)

    def withdraw(self, works: Collection[Work]) -> None:
        """Abandon the rows of a cancelled request: they leave the queue now, or the model at its next step."""
        for work in works:
            work.abandoned = True
        with self.changed:
            for kind, waiting in self._waiting.items():
                self._waiting[kind] = deque(work for work in waiting if not work.abandoned)

    def fail(self, error: ServiceError) -> None:
        """Complete all waiting rows with an error."""
        with self.changed:
            for kind, waiting in self._waiting.items():
                for work in self._take(kind, len(waiting)):
                    work.fail(error)

    def depths(self) -> dict[str, int]:
        """Return the number of waiting rows of each kind."""
        return {kind: len(works) for kind, works in self._waiting.items()}

    def size(self) -> int:
        """Return the size of all waiting rows in bytes."""
        with self.changed:
            return sum(work.bytes for works in self._waiting.values() for work in works)

    def _take(self, kind: Kind, count: int) -> list[Work]:
        taken: list[Work] = []
        waiting = self._waiting[kind]
        while waiting and len(taken) < count:
            if not (work := waiting.popleft()).abandoned:
                taken.append(work)
        return taken

    def _is_full(self) -> bool:
        waiting = [work for works in self._waiting.values() for work in works]
        return len(waiting) >= self._max_rows or sum(work.bytes for work in waiting) >= self._max_bytes
