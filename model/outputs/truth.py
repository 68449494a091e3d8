"""What is right for an example, as outputs read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Truth(Protocol):
    """What is right for one example; an output reads what it needs."""

    @property
    def question(self) -> str | None:
        """What was asked, if anything."""
        ...

    @property
    def answer(self) -> str:
        """The label, or one of the right texts."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """One for each word."""
        ...

    @property
    def captions(self) -> Sequence[str]:
        """All right texts."""
        ...

    @property
    def answers(self) -> Sequence[str]:
        """What each annotator said."""
        ...

    @property
    def answer_type(self) -> str:
        """Of the question: ``yes/no``, ``number`` or ``other``."""
        ...

    @property
    def truth(self) -> Any:
        """What is right for an output of another kind."""
        ...
