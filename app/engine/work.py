"""Rows that wait for the model, and who waits for them."""

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
    """A row on its way through the model.

    Attributes:
        answer: where its result is awaited.
        abandoned: whether nobody waits for it any more.
        features: of its frames, as far as they have been through the backbone, each (f, s, channels).
        since: number of the decoder's step at which it began to wait for its turn to be encoded.
        admitted: when it was put into the running batch; seconds of ``perf_counter``.
        encode_ms: time of the encoding that it was part of.
        batch_rows: in the running batch when it joined, itself among them.
        watch: is told what is settled of its outputs, whenever that is more.
        told: outputs that it has been told of.
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
    told: int = 0

    @property
    def frames(self) -> int:
        """How many pictures of it go through a backbone; 0 for a text."""
        return sum(given.frames for given in self.row.inputs)

    @property
    def kind(self) -> Kind:
        """By what it costs to encode."""
        if not self.frames:
            return "text"
        return "image" if self.frames == 1 else "video"

    @cached_property
    def bytes(self) -> int:
        """Memory that it takes while it waits."""
        return sum(_size(given.value) for given in self.row.inputs)

    @property
    def is_seen(self) -> bool:
        """Whether all of its frames have been through the backbone."""
        return sum(map(len, self.features)) == self.frames

    def unseen(self) -> tuple[str, np.ndarray]:
        """The frames of one input that have not, (f, 3, size, size), and the name of its peripheral."""
        seen = sum(map(len, self.features))
        for given in self.row.inputs:
            if seen < given.frames:
                return given.peripheral, given.value[seen:]
            seen -= given.frames
        raise ValueError("all frames have been through the backbone")

    def seen_row(self) -> Row:
        """The row with the features of each input's frames in their place."""
        if not self.frames:
            return self.row
        # No part of the features has frames of two inputs.
        parts, inputs = iter(self.features), []
        for given in self.row.inputs:
            found: list[Tensor] = []
            while sum(map(len, found)) < given.frames:
                found.append(next(parts))
            inputs.append(given._replace(value=torch.cat(found)) if found else given)
        return replace(self.row, inputs=tuple(inputs))

    def tell(self, settled: Hypothesis) -> None:
        """Tell who watches, if it is more than before."""
        if self.watch is not None and len(settled.tokens) > self.told:
            self.told = len(settled.tokens)
            self.watch(settled)

    def finish(self, decoded: Decoded) -> None:
        """Answer it."""
        decoded.encode_ms, decoded.decode_ms = self.encode_ms, 1e3 * (time.perf_counter() - self.admitted)
        decoded.batch_rows = self.batch_rows
        with suppress(InvalidStateError):  # its requester has just gone
            self.answer.set_result(decoded)

    def fail(self, error: ServiceError) -> None:
        """Answer it with an error."""
        with suppress(InvalidStateError):
            self.answer.set_exception(error)


def _size(value: Any) -> int:
    """Bytes of an array, or of a tuple of them."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(_size, value)) if isinstance(value, tuple) else 0


class WorkQueue:
    """Work of all kinds that no replica of the model has taken yet, limited by rows and by bytes.

    Attributes:
        changed: to be held while anything is changed, and told of it.
    """

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._waiting: dict[Kind, deque[Work]] = {kind: deque() for kind in KINDS}
        self.changed = threading.Condition()
        self._closed = False

    def put(self, works: Collection[Work]) -> None:
        """Add the rows of one request, all or none.

        Raises:
            ServiceError: ``overloaded`` or ``shutting_down``.
        """
        with self.changed:
            if self._closed:
                raise shutting_down()
            # Any request fits into a queue with room, however many rows it has: else a long text would never be taken.
            if self._is_full():
                raise overloaded("too many requests are waiting for the model; try again in a moment")
            for work in works:
                self._waiting[work.kind].append(work)
            self.changed.notify_all()

    def take(self, room: Mapping[Kind, int]) -> list[Work]:
        """Of each kind the oldest, as many as there is room for; those that nobody waits for are left out."""
        with self.changed:
            return [work for kind, count in room.items() for work in self._take(kind, count)]

    @property
    def is_closed(self) -> bool:
        """Whether nothing is taken on any more."""
        return self._closed

    def close(self) -> None:
        """Refuse what comes from now on."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()

    def closes_within(self, seconds: float) -> bool:
        """Whether it is closed before so much time is over."""
        with self.changed:
            return self.changed.wait_for(lambda: self._closed, seconds)

    def withdraw(self, works: Collection[Work]) -> None:
        """Nobody waits any more for the rows of a request: they leave at once, or the model at its next step."""
        for work in works:
            work.abandoned = True
        with self.changed:
            for kind, waiting in self._waiting.items():
                self._waiting[kind] = deque(work for work in waiting if not work.abandoned)

    def fail(self, error: ServiceError) -> None:
        """Answer all that wait with an error."""
        with self.changed:
            for kind, waiting in self._waiting.items():
                for work in self._take(kind, len(waiting)):
                    work.fail(error)

    def depths(self) -> dict[str, int]:
        """Rows of each kind."""
        return {kind: len(works) for kind, works in self._waiting.items()}

    def size(self) -> int:
        """Bytes of all rows."""
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
