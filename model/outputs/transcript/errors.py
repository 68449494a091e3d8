"""Word and character error rates."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(given: Sequence[str], wanted: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and substitutions between sequences (Levenshtein 1966)."""
    row = list(range(len(wanted) + 1))
    for i, one in enumerate(given, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(wanted, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


def error_rate(given: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> float:
    """Return the edit distances of all pairs, in percent of the total length of ``wanted``, or of 1 if that is 0."""
    total = sum(map(len, wanted))
    return 100 * sum(map(edit_distance, given, wanted)) / max(total, 1)


def transcript_scores(given: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Return what transcripts get right, and the error rates of words (WER) and characters (CER), in percent.

    Case counts; punctuation is a part of its word.

    Args:
        given: the transcript of each recording.
        wanted: what was said in each.
    """
    words = error_rate([text.split() for text in given], [text.split() for text in wanted])
    exact = sum(one == other for one, other in zip(given, wanted, strict=True))
    return {
        "words right": max(100 - words, 0.0),
        "WER": words,
        "CER": error_rate(given, wanted),
        "recordings right": 100 * exact / max(len(wanted), 1),
    }
