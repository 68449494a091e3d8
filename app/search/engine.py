"""What an engine of vectors does: it finds the entries of an embedded index that are nearest to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from omninet.app.search.conditions import IndexQuery


@dataclass(frozen=True)
class EngineRow:
    """What an engine knows of an entry.

    Attributes:
        seq: sequence number of the entry, never used again.
        vectors: (exits, width), float32.
    """

    seq: int
    vectors: NDArray[np.float32]


class Matching(Protocol):
    """The entries that meet a query's requirements besides the vector."""

    def all(self) -> Sequence[int]:
        """Return the sequence numbers of all."""
        ...

    def among(self, seqs: Sequence[int]) -> Sequence[int]:
        """Return those of some entries, in any order."""
        ...


class VectorEngine(Protocol):
    """Vectors of an embedded index; may be searched from several threads, one at a time changes it.

    Attributes:
        is_persistent: whether what was flushed is there when the engine is opened again.
    """

    is_persistent: bool

    def put(self, rows: Sequence[EngineRow]) -> None:
        """Add entries, or replace those of the same sequence numbers."""
        ...

    def drop(self, seqs: Sequence[int]) -> None:
        """Remove entries; unknown ones are ignored."""
        ...

    def search(self, query: IndexQuery, matching: Matching | None) -> list[tuple[int, float]]:
        """Return the sequence numbers and scores of the entries nearest to the query's vector, the best first.

        Args:
            matching: entries that may be found; None for all.
        """
        ...

    def flush(self) -> None:
        """Write everything to disk."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...
