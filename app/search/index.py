"""What an index of pictures does, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.entries import Added, Entry, Hit, Identity, NewEntry
from omninet.model.errors import OmniNetError


class IndexUnavailableError(OmniNetError):
    """The index cannot be reached or read."""


class IndexInUseError(OmniNetError):
    """Another process owns the index."""


class IndexFullError(OmniNetError):
    """The index has reached a limit, or the disk is full; it is unchanged."""


class IndexMismatchError(OmniNetError):
    """The vectors of the index are those of another model, exit or width."""


class Index(Protocol):
    """A store of pictures that is searched by vector and by what is known of them; may be called from several threads.

    Every method raises IndexUnavailableError if the store cannot be reached.
    """

    def identity(self) -> Identity | None:
        """Return what the vectors are of; None for an index that never had an entry."""
        ...

    def count(self) -> int:
        """Return the number of entries."""
        ...

    def add(self, entries: Sequence[NewEntry], identity: Identity) -> list[Added]:
        """Add entries; when this returns, they survive a crash.

        An entry whose content is there already is left as it is; another entry of the same id is replaced.

        Raises:
            IndexFullError: there is no room; no entry was added.
            IndexMismatchError: the index has vectors of another identity.
        """
        ...

    def get(self, name: str) -> Entry | None:
        """Return the entry of an id."""
        ...

    def find(self, digest: str) -> Entry | None:
        """Return the entry of a content's digest."""
        ...

    def thumbnail(self, name: str) -> bytes | None:
        """Return the thumbnail of the entry of an id, a JPEG file."""
        ...

    def remove(self, names: Sequence[str]) -> int:
        """Remove everything that is kept of the entries of these ids; return how many there were."""
        ...

    def search(self, query: IndexQuery) -> list[Hit]:
        """Return the best hits, the best first.

        Raises:
            IndexMismatchError: the index has no vectors of the query's exit or width.
        """
        ...

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, in the order in which they were added."""
        ...

    def size(self) -> int:
        """Return the bytes that the index takes on disk."""
        ...

    def snapshot(self, target: Path) -> None:
        """Write a copy of the whole index to a file, while it is in use."""
        ...

    def close(self) -> None:
        """Close the index; everything is on disk."""
        ...


def check_identity(known: Identity, given: Identity) -> None:
    """Check that vectors to add are those of an index.

    Raises:
        IndexMismatchError: they are of another model, exit or width.
    """
    if known != given:
        raise IndexMismatchError(
            f"the index was made by the model {known.model[:12]} with {known.width} numbers for each of the exits "
            f"{', '.join(known.exits)}, not by {given.model[:12]}"
        )


def check_vector(query: IndexQuery, known: Identity) -> None:
    """Check that the vector of a search can be compared with those of an index.

    Raises:
        IndexMismatchError: the index has no vectors of this exit or width.
    """
    if query.exit not in known.exits or query.vector is None or len(query.vector) != known.width:
        raise IndexMismatchError(
            f"the index has vectors of {known.width} numbers of the exits {', '.join(known.exits)}"
        )
