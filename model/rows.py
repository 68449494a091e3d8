"""Rows of a batch: prepared inputs and decoding settings. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from omninet.model.decoding.goal import Goal, Reads


class Prepared(NamedTuple):
    """One prepared input of a row.

    Attributes:
        peripheral: name of the peripheral that encodes the input.
        domain: name of the input's control vector.
        value: prepared value that the peripheral collates.
        frames: number of frames that go through a backbone; 0 for other inputs.
    """

    peripheral: str
    domain: str
    value: Any
    frames: int = 0


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a batch.

    Attributes:
        inputs: prepared inputs in the order of encoding.
        goal: decoding settings.
        moves: add motion features to video frames (``Task.moves``).
    """

    inputs: tuple[Prepared, ...]
    goal: Goal
    moves: bool = False

    @property
    def shape(self) -> tuple[bool, Reads | None, tuple[tuple[str, str, int], ...]]:
        """Key that is equal for rows that can be encoded in one batch; texts are padded, pictures are not."""
        given = tuple((given.peripheral, given.domain, given.frames) for given in self.inputs)
        return self.moves, self.goal.depth, given
