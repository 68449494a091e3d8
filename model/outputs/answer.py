"""What every answer has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from model.explaining import Explanation


class Answer(Protocol):
    """An answer: a frozen dataclass of its output, whose fields are JSON values or dataclasses of such."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user must know of the input."""
        ...

    @property
    def explanation(self) -> Explanation | None:
        """What the network attended to, if that was asked for."""
        ...
