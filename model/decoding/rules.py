"""Constraints on the next token: minimum length and repeated n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Constraints on the next token of a text.

    Attributes:
        min_length: number of tokens before the end token is allowed.
        no_repeat_ngram: length of the n-grams that may occur only once; None allows repetition.
    """

    min_length: int = 0
    no_repeat_ngram: int | None = None

    def __bool__(self) -> bool:
        return self.min_length > 0 or self.no_repeat_ngram is not None

    def forbidden(self, tokens: Sequence[int], end: int | None) -> set[int]:
        """Return the tokens that may not follow ``tokens``; ``end`` is the end token, if there is one."""
        found = self._repeated_ngrams(tokens)
        return found | {end} if end is not None and len(tokens) < self.min_length else found

    def _repeated_ngrams(self, tokens: Sequence[int]) -> set[int]:
        """Return the tokens that would complete an n-gram that already occurred."""
        if self.no_repeat_ngram is None:
            return set()
        before = self.no_repeat_ngram - 1  # length of an n-gram without its last token
        suffix = tuple(tokens[len(tokens) - before :])
        starts = range(len(tokens) - before)
        return {tokens[i + before] for i in starts if tuple(tokens[i : i + before]) == suffix}


NO_RULES = Rules()
