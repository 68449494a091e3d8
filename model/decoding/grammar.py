"""Which classes may follow a prefix: tags of spans, boxes, brackets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

OUTSIDE = "O"


class Grammar(ABC):
    """Holds what is decoded to a form; a row has its own."""

    @abstractmethod
    def following(self, prefix: Sequence[int]) -> Collection[int] | None:
        """Return the classes that may follow a prefix, at least one of them; None where all may."""


@dataclass(frozen=True)
class Transitions(Grammar):
    """Which class may follow which, whatever came before that.

    Attributes:
        first: classes that may begin.
        after: class -> those that may follow it; a class that is missing may be followed by any.
    """

    first: frozenset[int]
    after: Mapping[int, frozenset[int]]

    def following(self, prefix: Sequence[int]) -> Collection[int] | None:
        """Look up the last class of the prefix."""
        return self.after.get(prefix[-1]) if prefix else self.first


def span_tags(names: Sequence[str]) -> Transitions:
    """Return the grammar of BIO tags (Ramshaw and Marcus 1995): ``I-x`` follows ``B-x`` or ``I-x`` alone.

    Args:
        names: of the classes in the order of their ids: ``O``, ``B-x`` and ``I-x`` for each kind of span x.

    Raises:
        ValueError: a name is none of these.
    """
    kinds = {i: _span(name) for i, name in enumerate(names)}
    starts = frozenset(i for i, (part, _) in kinds.items() if part != "I")
    after = {
        i: starts | {j for j, (other, inner) in kinds.items() if other == "I" and inner == kind and part != OUTSIDE}
        for i, (part, kind) in kinds.items()
    }
    return Transitions(starts, after)


def _span(name: str) -> tuple[str, str]:
    part, _, kind = name.partition("-")
    if name != OUTSIDE and (part not in {"B", "I"} or not kind):
        raise ValueError(f"{name!r} is no tag of a span: tags are O, B-x and I-x")
    return part, kind
