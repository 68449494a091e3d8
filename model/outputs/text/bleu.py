"""Corpus BLEU of captions (Papineni et al. 2002) with the COCO scorer: no smoothing, closest reference length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pycocoevalcap.bleu.bleu_scorer import BleuScorer

BEST_OF = 60


def normalise(caption: str) -> str:
    """Lower-case a caption and remove punctuation; applied to hypotheses and references."""
    return " ".join(re.sub(r"[^\w\s]", " ", caption.lower()).split())


class Bleu:
    """BLEU scorer that counts the references once for any number of systems.

    Args:
        references: references of each picture, tokens joined by spaces.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        self.scorer = BleuScorer(n=4)
        for captions in references:
            self.scorer += (None, captions)

    def scores(self, hypotheses: Sequence[str]) -> tuple[float, ...]:
        """Return BLEU-1 to BLEU-4, in [0, 100], of one caption per picture."""
        values, _ = self.scorer.retest(hypotheses).compute_score(option="closest")
        return tuple(100 * float(value) for value in values)


def bleu4(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return BLEU-4, in [0, 100], of normalised captions."""
    return _normalised(references).scores([normalise(h) for h in hypotheses])[3]


def best_constant(candidates: Iterable[str], references: Sequence[Sequence[str]]) -> tuple[str, float]:
    """Return the caption with the highest BLEU-4 if given for every picture, and its BLEU-4.

    Only the 60 candidates with the most frequent four-grams are scored.
    """
    captions = sorted({normalise(c) for c in candidates})
    counts = Counter(gram for caption in captions for gram in _fourgrams(caption))

    def commonness(caption: str) -> float:
        grams = _fourgrams(caption)
        return sum(counts[g] for g in grams) / len(grams) if grams else 0.0

    ranked = sorted(captions, key=commonness, reverse=True)[:BEST_OF]
    bleu = _normalised(references)
    score, caption = max((bleu.scores([caption] * len(references))[3], caption) for caption in ranked)
    return caption, score


def _normalised(references: Sequence[Sequence[str]]) -> Bleu:
    return Bleu([[normalise(caption) for caption in captions] for captions in references])


def _fourgrams(caption: str) -> list[tuple[str, ...]]:
    words = caption.split()
    return [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
