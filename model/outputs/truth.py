"""Ground truth of an example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Truth(Protocol):
    """Ground truth of one example; each output reads the fields it needs."""

    @property
    def question(self) -> str | None:
        """Question about the picture; None if there is none."""
        ...

    @property
    def answer(self) -> str:
        """Label, or one of the reference texts."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """Tag of each word."""
        ...

    @property
    def captions(self) -> Sequence[str]:
        """All reference texts."""
        ...

    @property
    def answers(self) -> Sequence[str]:
        """Answers of the annotators."""
        ...

    @property
    def answer_type(self) -> str:
        """Type of the question: ``yes/no``, ``number`` or ``other``."""
        ...

    @property
    def truth(self) -> Any:
        """Ground truth for custom outputs."""
        ...
