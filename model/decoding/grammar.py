"""Constrained decoding: which classes may follow a prefix, such as the tags of spans."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

OUTSIDE = "O"


class Grammar(ABC):
    """A constraint on the classes that one row may decode."""

    @abstractmethod
    def following(self, prefix: Sequence[int]) -> Collection[int] | None:
        """Return the classes that may follow a prefix, at least one; None if all may."""

    def is_ordered(self, prefix: Sequence[int]) -> bool:  # noqa: ARG002
        """Return whether the classes that may follow have an order, such as coordinates; by default they have none."""
        return False


@dataclass(frozen=True)
class Transitions(Grammar):
    """A grammar in which the allowed classes depend on the last class only.

    Attributes:
        first: classes allowed at the beginning.
        after: class -> classes that may follow it; any class may follow a class that is not listed.
    """

    first: frozenset[int]
    after: Mapping[int, frozenset[int]]

    def following(self, prefix: Sequence[int]) -> Collection[int] | None:
        """Return the classes that may follow the last class of the prefix."""
        return self.after.get(prefix[-1]) if prefix else self.first


def span_tags(names: Sequence[str]) -> Transitions:
    """Return the grammar of BIO tags (Ramshaw and Marcus 1995): ``I-x`` follows ``B-x`` or ``I-x`` only.

    Args:
        names: names of the classes in the order of their ids: ``O``, and ``B-x`` and ``I-x`` for each kind of span x.

    Raises:
        ValueError: a name is not a BIO tag.
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
        raise ValueError(f"{name!r} is not a BIO tag: tags are O, B-x and I-x")
    return part, kind
