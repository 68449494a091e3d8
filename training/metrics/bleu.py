"""BLEU-4 of captions (Papineni et al. 2002): corpus level, no smoothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sacrebleu.metrics.bleu import BLEU

BEST_OF = 60


def normalise(caption: str) -> str:
    """Lower case, punctuation removed: applied to both sides."""
    return " ".join(re.sub(r"[^\w\s]", " ", caption.lower()).split())


def bleu4(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 in [0, 100] of one caption a picture against all of its references."""
    most = max(map(len, references))
    columns: list[Any] = [[normalise(refs[i]) if i < len(refs) else None for refs in references] for i in range(most)]
    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    return float(metric.corpus_score([normalise(h) for h in hypotheses], columns).score)


def best_constant(candidates: Iterable[str], references: Sequence[Sequence[str]]) -> tuple[str, float]:
    """The one caption that scores highest if it is given for every picture.

    The candidates are ranked by how common their four-grams are among them, and the first few are scored.
    """
    captions = sorted({normalise(c) for c in candidates})
    counts = Counter(gram for caption in captions for gram in _fourgrams(caption))

    def commonness(caption: str) -> float:
        grams = _fourgrams(caption)
        return sum(counts[g] for g in grams) / len(grams) if grams else 0.0

    ranked = sorted(captions, key=commonness, reverse=True)[:BEST_OF]
    scored = [(bleu4([caption] * len(references), references), caption) for caption in ranked]
    score, caption = max(scored)
    return caption, score


def _fourgrams(caption: str) -> list[tuple[str, ...]]:
    words = caption.split()
    return [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
