"""Measures of captions by their official code (pycocoevalcap), on two kinds of tokens.

Everybody's numbers compare on plain ones: lower case, punctuation removed, both sides. COCO's own numbers are on those
of the Penn Treebank tokeniser, which is a Java program, as is METEOR.
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
    """BLEU-1 to BLEU-4, ROUGE-L and CIDEr on plain tokens, in [0, 100] (CIDEr: to 1000)."""
    return _of_tokens([normalise(c) for c in written], [[normalise(c) for c in group] for group in references])


def score_official(written: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The same and METEOR on the tokens of COCO's evaluation; nothing, with a warning, where Java is not usable."""
    try:
        hypotheses = tokenise(written)
        tokens = iter(tokenise([caption for group in references for caption in group]))
        groups = [[next(tokens) for _ in group] for group in references]
        found = _of_tokens(hypotheses, groups) | {"METEOR": meteor(hypotheses, groups)}
    except JavaError as error:
        LOG.warning("no METEOR and no scores on %s: %s", PTB, error)
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
