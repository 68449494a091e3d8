"""What must not come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Tokens that a text may not go on with.

    Attributes:
        least: tokens before the end may come.
        no_repeat: length of the runs of tokens of which none may come twice; None lets them.
    """

    least: int = 0
    no_repeat: int | None = None

    def __bool__(self) -> bool:
        return self.least > 0 or self.no_repeat is not None

    def forbidden(self, tokens: Sequence[int], end: int | None) -> set[int]:
        """What may not follow the tokens."""
        found = self._repeating(tokens)
        return found | {end} if end is not None and len(tokens) < self.least else found

    def _repeating(self, tokens: Sequence[int]) -> set[int]:
        """What would end a run that was there before."""
        if self.no_repeat is None:
            return set()
        before = self.no_repeat - 1  # tokens of a run that come before its last one
        begun = tuple(tokens[len(tokens) - before :])
        runs = range(len(tokens) - before)
        return {tokens[i + before] for i in runs if tuple(tokens[i : i + before]) == begun}


NO_RULES = Rules()
