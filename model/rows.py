"""Rows of a batch: prepared inputs, and what to decode from them. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from omninet.model.decoding.goal import Goal, Reads


class Prepared(NamedTuple):
    """One input of a row, as the network takes it.

    Attributes:
        peripheral: name of the peripheral that encodes it.
        domain: name of its control vector.
        value: what the peripheral collates.
        frames: pictures in it that go through a backbone; 0 for what has none.
    """

    peripheral: str
    domain: str
    value: Any
    frames: int = 0


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a batch: prepared inputs in the order of encoding, and what to decode from them.

    Attributes:
        moves: whether its task has learnt what motion looks like.
    """

    inputs: tuple[Prepared, ...]
    goal: Goal
    moves: bool = False

    @property
    def shape(self) -> tuple[bool, Reads | None, tuple[tuple[str, str, int], ...]]:
        """Rows of equal shape are encoded together; texts are padded, pictures are not."""
        given = tuple((given.peripheral, given.domain, given.frames) for given in self.inputs)
        return self.moves, self.goal.depth, given
