"""Approximate search by Qdrant Edge, the engine of Qdrant inside this process, on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.engine import EngineRow, Matching
from omninet.app.search.entries import Identity

if TYPE_CHECKING:
    import qdrant_edge

SPARE = 20  # times as many entries as needed are looked at before all that a filter keeps are listed
UNINDEXED = 10_000  # vectors that are searched one by one before the graph takes them in


class EdgeEngine:
    """A shard of Qdrant Edge in a folder, with one named vector per exit and no other content of the entries.

    What entries a search may find is looked up in the records, so that nothing of a removed entry stays here but its
    vectors: in a small shard until ``drop`` returns, in a large one until it is closed.
    """

    is_persistent = True

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Open the shard of a folder, or create it.

        Raises:
            Exception: the shard is damaged; the type is the library's own.
        """
        import qdrant_edge

        self._exits = identity.exits
        self._unindexed = 0
        self._has_removed = False
        if folder.exists():
            self._shard = qdrant_edge.EdgeShard.load(str(folder))
        else:
            folder.mkdir()
            self._shard = qdrant_edge.EdgeShard.create(str(folder), _config(identity))

    def put(self, rows: Sequence[EngineRow]) -> None:
        """Add entries, or replace those of the same sequence numbers."""
        import qdrant_edge as edge

        points = [
            edge.Point(row.seq, {name: row.vectors[number].tolist() for number, name in enumerate(self._exits)})
            for row in rows
        ]
        self._shard.update(edge.UpdateOperation.upsert_points(points))
        self._unindexed += len(rows)
        if self._unindexed >= UNINDEXED:
            self._shard.optimize()
            self._unindexed = 0

    def drop(self, seqs: Sequence[int]) -> None:
        """Remove entries; unknown ones are ignored."""
        import qdrant_edge as edge

        if not seqs:
            return
        self._shard.update(edge.UpdateOperation.delete_points(list(seqs)))
        self._has_removed = True
        if self._shard.count(edge.CountRequest(exact=False)) < UNINDEXED:  # fast without a graph
            self._forget()

    def _forget(self) -> None:
        """Write the segments of removed entries anew, without their vectors."""
        self._shard.optimize()
        self._shard.flush()
        self._has_removed = False

    def search(self, query: IndexQuery, matching: Matching | None) -> list[tuple[int, float]]:
        """Return the sequence numbers and scores of the nearest entries, the best first.

        The graph is not built for the entries that a filter keeps, so that a search in it alone would stop before it
        has found enough of them.
        """
        if matching is None:
            return self._nearest(query, query.limit)
        near = self._nearest(query, SPARE * query.limit)
        allowed = set(matching.among([seq for seq, _ in near]))
        found = [(seq, score) for seq, score in near if seq in allowed][: query.limit]
        if len(found) == query.limit:
            return found
        return self._nearest(query, query.limit, every) if (every := matching.all()) else []

    def _nearest(self, query: IndexQuery, limit: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """Search all entries by the graph, or some of them one by one."""
        import qdrant_edge as edge

        if query.vector is None:
            return []
        allowed = None if among is None else edge.Filter(must=[edge.HasIdCondition(set(among))])
        nearest = edge.Query.Nearest(query.vector.tolist(), using=query.exit)
        params = edge.SearchParams(exact=among is not None)
        found = self._shard.search(edge.SearchRequest(nearest, limit, filter=allowed, params=params))
        return [(int(point.id), point.score) for point in found]

    def flush(self) -> None:
        """Write everything to disk."""
        self._shard.flush()

    def close(self) -> None:
        """Take the vectors of removed entries out of the files, and close."""
        if self._has_removed:
            self._forget()
        self._shard.flush()
        self._shard.close()


def _config(identity: Identity) -> qdrant_edge.EdgeConfig:
    import qdrant_edge as edge

    vectors = {name: edge.EdgeVectorParams(size=identity.width, distance=edge.Distance.Dot) for name in identity.exits}
    # One removed entry is enough to write its segment anew.
    vacuum = edge.EdgeOptimizersConfig(deleted_threshold=1e-9, vacuum_min_vector_number=1)
    return edge.EdgeConfig(vectors=vectors, optimizers=vacuum)


def discard(folder: Path) -> None:
    """Remove a shard, so that the next one is made from the records."""
    shutil.rmtree(folder, ignore_errors=True)
