"""A search in two stages: nearest vectors, then the task ``match`` on the first hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from omninet.app.search.conditions import Condition, IndexQuery, parse_filter
from omninet.app.search.entries import Hit, Vector
from omninet.app.search.index import Index
from omninet.model.errors import InputError

MOST_HITS = 100


class SearchModel(Protocol):
    """What a search needs of the model."""

    def vector_of(self, exit_name: str, **given: object) -> Vector:
        """Return the vector of ``text`` or ``image`` at an exit."""
        ...

    def match(self, thumbnails: Sequence[bytes], text: str) -> list[float]:
        """Return the log-odds that each picture fits a text."""
        ...


@dataclass(frozen=True)
class SearchRequest:
    """What a user looks for; ``docs/search.md`` describes the fields.

    Attributes:
        image: file of a picture; None without one.
        rerank: number of hits that the second stage sees.
        filter: JSON of conditions on the metadata.
    """

    text: str = ""
    image: bytes | None = None
    limit: int = 10
    exit: str = "best"
    rerank: int = 0
    filter: str = "{}"
    entity: str = ""
    contains: str = ""

    @property
    def needs_model(self) -> bool:
        """Return whether the search has a vector."""
        return bool(self.text) or self.image is not None

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions of the filter.

        Raises:
            InputError: ``invalid_filter``.
        """
        return parse_filter(self.filter)

    def check(self) -> None:
        """Check the fields.

        Raises:
            InputError: ``missing_input``, ``unexpected_input``, ``invalid_value`` or ``invalid_filter``; the message
                names the field.
        """
        if self.text and self.image is not None:
            raise InputError("unexpected_input", "a search has text or image, not both", input="image")
        if not (self.needs_model or self.entity or self.contains):
            raise InputError("missing_input", "a search needs text, image, entity or contains", input="text")
        if not 1 <= self.limit <= MOST_HITS:
            raise _out_of_range("limit", 1, self.limit)
        if not 0 <= self.rerank <= MOST_HITS:
            raise _out_of_range("rerank", 0, self.rerank)
        if self.rerank and not self.text:
            raise InputError("unexpected_input", "rerank compares pictures with a text: give text", input="rerank")
        _ = self.conditions


def query_of(given: SearchRequest, vector: Vector | None) -> IndexQuery:
    """Return the first stage of a search; it finds enough hits for the second one.

    Args:
        vector: of the text or the picture; None without one.
    """
    return IndexQuery(
        max(given.limit, given.rerank),
        given.exit if vector is not None else "",
        vector,
        given.conditions,
        given.entity,
        given.contains,
    )


def ranked(given: SearchRequest, hits: Sequence[Hit], seconds: Sequence[float]) -> list[tuple[Hit, float | None]]:
    """Return the hits with the scores of the second stage, the best first; hits that it did not see come last.

    Args:
        seconds: scores of the first hits.
    """
    first, rest = hits[: len(seconds)], hits[len(seconds) :]
    best = sorted(zip(first, seconds, strict=True), key=lambda pair: -pair[1])
    return [*best, *((hit, None) for hit in rest)][: given.limit]


def search(index: Index, model: SearchModel | None, given: SearchRequest) -> list[tuple[Hit, float | None]]:
    """Return the hits with the scores of the second stage, the best first.

    Args:
        model: needed for a search by text or by a picture.

    Raises:
        InputError: the text, the picture or the exit cannot be used.
        IndexMismatchError, IndexUnavailableError: see ``Index``.
    """
    vector = None
    if model is not None and given.needs_model:
        inputs = {"text": given.text} if given.text else {"image": given.image}
        vector = model.vector_of(given.exit, **inputs)
    hits = index.search(query_of(given, vector))
    hits, seen = with_thumbnails(index, hits, given.rerank)
    seconds = model.match(seen, given.text) if model is not None and seen else []
    return ranked(given, hits, seconds)


def with_thumbnails(index: Index, hits: Sequence[Hit], count: int) -> tuple[list[Hit], list[bytes]]:
    """Return the thumbnails of the first hits, and the hits without those of them that were removed meanwhile."""
    found = [(hit, index.thumbnail(hit.entry.id)) for hit in hits[:count]]
    kept = [(hit, thumbnail) for hit, thumbnail in found if thumbnail is not None]
    return [*(hit for hit, _ in kept), *hits[count:]], [thumbnail for _, thumbnail in kept]


def _out_of_range(field: str, least: int, value: int) -> InputError:
    return InputError("invalid_value", f"{field} must be from {least} to {MOST_HITS}, not {value}", field=field)
