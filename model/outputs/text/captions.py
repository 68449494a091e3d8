"""Caption metrics of the official code (pycocoevalcap), with two tokenisers.

The plain tokeniser lower-cases and removes punctuation, for comparison across data sets and without Java. The official
COCO metrics use the Penn Treebank tokeniser, which needs Java, as METEOR does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from omninet.model.outputs.text.bleu import Bleu, normalise
from omninet.model.outputs.text.java import JavaError, meteor, tokenise

LOG = logging.getLogger(__name__)
PTB = "PTB tokens"


def score(written: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return BLEU-1 to BLEU-4 and ROUGE-L in [0, 100] and CIDEr in [0, 1000], on plain tokens."""
    return _of_tokens([normalise(c) for c in written], [[normalise(c) for c in group] for group in references])


def score_official(written: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return BLEU, ROUGE-L, CIDEr and METEOR on Penn Treebank tokens; empty, with a warning, if Java fails."""
    try:
        hypotheses = tokenise(written)
        tokens = iter(tokenise([caption for group in references for caption in group]))
        groups = [[next(tokens) for _ in group] for group in references]
        found = _of_tokens(hypotheses, groups) | {"METEOR": meteor(hypotheses, groups)}
    except JavaError as error:
        LOG.warning("METEOR and the scores on %s are left out: %s", PTB, error)
        return {}
    return {f"{name}, {PTB}": value for name, value in found.items()}


def _of_tokens(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    given = {i: [caption] for i, caption in enumerate(hypotheses)}
    wanted = {i: list(captions) for i, captions in enumerate(references)}
    bleu = Bleu(references).scores(hypotheses)
    found = {f"BLEU-{n}": value for n, value in enumerate(bleu, 1)}
    for name, scorer in (("ROUGE-L", Rouge()), ("CIDEr", Cider())):
        mean, _ = scorer.compute_score(wanted, given)
        found[name] = 100 * float(mean)
    return found
