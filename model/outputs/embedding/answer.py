"""Answers of the embedding output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer


@dataclass(frozen=True, kw_only=True)
class Embedding(PlainAnswer):
    """A vector of unit length; the similarity of two inputs is the dot product of their vectors.

    Attributes:
        vector: comparable with vectors of the same checkpoint and exit only.
        width: number of its components.
        exit: where in the network it was read: ``fast``, ``balanced`` or ``best``.
    """

    vector: tuple[float, ...]
    width: int
    exit: str
