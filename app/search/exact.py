"""Exact search by numpy over all vectors, in memory; the oracle of the approximate engines."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.engine import EngineRow, Matching
from omninet.app.search.entries import Identity

FIRST = 1024  # rows of a new array


class ExactEngine:
    """All vectors in one array that grows; it is filled again whenever the index is opened."""

    is_persistent = False

    def __init__(self, identity: Identity) -> None:
        self._exits = {name: number for number, name in enumerate(identity.exits)}
        self._lock = threading.Lock()
        # (exits, rows, width): the vectors of an exit lie together.
        self._vectors = np.zeros((len(identity.exits), FIRST, identity.width), np.float32)
        self._seqs = np.zeros(FIRST, np.int64)
        self._count = 0

    def put(self, rows: Sequence[EngineRow]) -> None:
        """Add entries, or replace those of the same sequence numbers."""
        if not rows:
            return
        with self._lock:
            self._drop([row.seq for row in rows])
            end = self._count + len(rows)
            if end > len(self._seqs):
                self._grow(max(end, 2 * len(self._seqs)))
            self._vectors[:, self._count : end] = np.stack([row.vectors for row in rows], 1)
            self._seqs[self._count : end] = [row.seq for row in rows]
            self._count = end

    def drop(self, seqs: Sequence[int]) -> None:
        """Remove entries; unknown ones are ignored."""
        with self._lock:
            self._drop(seqs)

    def search(self, query: IndexQuery, matching: Matching | None) -> list[tuple[int, float]]:
        """Return the sequence numbers and scores of the best entries, the best first; equal scores by number."""
        if query.vector is None:
            return []
        with self._lock:
            vectors, seqs = self._vectors[self._exits[query.exit], : self._count], self._seqs[: self._count]
        if matching is not None:
            kept = np.flatnonzero(np.isin(seqs, np.asarray(matching.all(), np.int64)))
            vectors, seqs = vectors[kept], seqs[kept]
        scores = vectors @ query.vector
        best = np.arange(len(scores))
        if query.limit < len(scores):
            best = np.argpartition(-scores, query.limit - 1)[: query.limit]
        order = best[np.lexsort((seqs[best], -scores[best]))]
        return [(int(seqs[i]), float(scores[i])) for i in order]

    def flush(self) -> None:
        """Do nothing: there is nothing on disk."""

    def close(self) -> None:
        """Release the memory."""
        with self._lock:
            self._vectors, self._seqs, self._count = self._vectors[:, :0], self._seqs[:0], 0

    def _drop(self, seqs: Sequence[int]) -> None:
        gone = np.isin(self._seqs[: self._count], np.asarray(seqs, np.int64))
        if gone.any():
            # New arrays, since a search may be reading the present ones.
            self._vectors = self._vectors[:, : self._count][:, ~gone]
            self._seqs = self._seqs[: self._count][~gone]
            self._count = len(self._seqs)

    def _grow(self, size: int) -> None:
        more = size - len(self._seqs)
        self._vectors = np.pad(self._vectors, ((0, 0), (0, more), (0, 0)))
        self._seqs = np.pad(self._seqs, (0, more))
