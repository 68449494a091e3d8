"""Approximate search by Qdrant Edge, the engine of Qdrant inside this process, on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.app.search.conditions import Condition, IndexQuery, OneOf, Value
from omninet.app.search.engine import EngineRow
from omninet.app.search.entries import Identity, folded

if TYPE_CHECKING:
    import qdrant_edge

TEXT, ENTITIES = "text", "entities"  # keys of a payload
# Keys of the values of the metadata by their type: the library takes true for 1, so that true is kept as a text here.
WORDS, NUMBERS, FLAGS = "words", "numbers", "flags"
UNINDEXED = 10_000  # vectors that are searched one by one before the graph takes them in


class EdgeEngine:
    """A shard of Qdrant Edge in a folder, with one named vector per exit."""

    is_persistent = True

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Open the shard of a folder, or create it.

        Raises:
            Exception: the shard is damaged; the type is the library's own.
        """
        import qdrant_edge

        self._exits = identity.exits
        self._unindexed = 0
        if folder.exists():
            self._shard = qdrant_edge.EdgeShard.load(str(folder))
        else:
            folder.mkdir()
            self._shard = qdrant_edge.EdgeShard.create(str(folder), self._config(identity))
            for key, kind in ((TEXT, "Keyword"), (ENTITIES, "Keyword")):
                schema = getattr(qdrant_edge.PayloadSchemaType, kind)
                self._shard.update(qdrant_edge.UpdateOperation.create_field_index(key, schema))

    def put(self, rows: Sequence[EngineRow]) -> None:
        """Add entries, or replace those of the same sequence numbers."""
        import qdrant_edge as edge

        points = [
            edge.Point(
                row.seq,
                {name: row.vectors[number].tolist() for number, name in enumerate(self._exits)},
                {TEXT: row.text, ENTITIES: list(row.entities), **_by_type(row.metadata)},
            )
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

        if seqs:
            self._shard.update(edge.UpdateOperation.delete_points(list(seqs)))

    def search(self, query: IndexQuery, among: Callable[[], Sequence[int]]) -> list[tuple[int, float]]:  # noqa: ARG002
        """Return the sequence numbers and scores of the nearest entries, the best first."""
        import qdrant_edge as edge

        if query.vector is None:
            return []
        nearest = edge.Query.Nearest(query.vector.tolist(), using=query.exit)
        found = self._shard.search(edge.SearchRequest(nearest, query.limit, filter=self._filter(query)))
        return [(int(point.id), point.score) for point in found]

    def flush(self) -> None:
        """Write everything to disk."""
        self._shard.flush()

    def close(self) -> None:
        """Flush and close."""
        self._shard.flush()
        self._shard.close()

    def _config(self, identity: Identity) -> qdrant_edge.EdgeConfig:
        import qdrant_edge as edge

        vectors = {
            name: edge.EdgeVectorParams(size=identity.width, distance=edge.Distance.Dot) for name in identity.exits
        }
        return edge.EdgeConfig(vectors=vectors, on_disk_payload=True)

    def _filter(self, query: IndexQuery) -> qdrant_edge.Filter | None:
        import qdrant_edge as edge

        if not query.is_filtered:
            return None
        entity, part = folded(query.entity), folded(query.contains)
        return edge.Filter(
            must=[
                *(self._condition(condition) for condition in query.conditions),
                *([edge.FieldCondition(ENTITIES, match=edge.MatchValue(entity))] if entity else []),
                *([edge.FieldCondition(TEXT, match=edge.MatchSubstring(part))] if part else []),
            ]
        )

    def _condition(self, condition: Condition) -> qdrant_edge.FieldCondition | qdrant_edge.Filter:
        import qdrant_edge as edge

        if isinstance(condition, OneOf):
            return edge.Filter(should=[self._equals(condition.field, value) for value in condition.values])
        limits = edge.RangeFloat(gte=condition.gte, lte=condition.lte)
        return edge.FieldCondition(f"{NUMBERS}.{condition.field}", range=limits)

    def _equals(self, field: str, value: Value) -> qdrant_edge.FieldCondition:
        import qdrant_edge as edge

        key = f"{_type_of(value)}.{field}"
        if isinstance(value, str | bool):
            return edge.FieldCondition(key, match=edge.MatchValue(str(value)))
        return edge.FieldCondition(key, range=edge.RangeFloat(gte=value, lte=value))


def _by_type(metadata: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Return type -> field -> values of the metadata; other values than texts, numbers and flags are left out."""
    found: dict[str, dict[str, list[Any]]] = {WORDS: {}, NUMBERS: {}, FLAGS: {}}
    for field, given in metadata.items():
        for value in given if isinstance(given, list) else [given]:
            if kind := _type_of(value):
                found[kind].setdefault(field, []).append(str(value) if isinstance(value, bool) else value)
    return found


def _type_of(value: Any) -> str:
    """Return the key of a value's type; empty for a type that no condition can name."""
    kinds = {bool: FLAGS, str: WORDS, int: NUMBERS, float: NUMBERS}
    return kinds.get(type(value), "")


def discard(folder: Path) -> None:
    """Remove a shard, so that the next one is made from the records."""
    shutil.rmtree(folder, ignore_errors=True)
