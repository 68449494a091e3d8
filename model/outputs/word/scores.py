"""How many words are read rightly."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.model.outputs.transcript.errors import edit_distance


def word_scores(given: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Return the share of words that are right by letters and digits alone, in any case, and exactly, in percent.

    Also 1 - NED, the mean of 1 - edit distance / length of the longer text, of letters and digits in any case.
    """
    pairs = [(plain(one), plain(other)) for one, other in zip(given, wanted, strict=True)]
    exact = sum(one == other for one, other in zip(given, wanted, strict=True))
    near = sum(1 - edit_distance(one, other) / max(len(one), len(other), 1) for one, other in pairs)
    count = max(len(pairs), 1)
    return {
        "words right": 100 * sum(one == other for one, other in pairs) / count,
        "exactly right": 100 * exact / count,
        "1 - NED": 100 * near / count,
    }


def plain(text: str) -> str:
    """Return the letters and digits of a text in lower case, by which ICDAR and IIIT5K are measured."""
    return "".join(character for character in text.lower() if character.isalnum())
