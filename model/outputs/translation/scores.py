"""BLEU and chrF of translations, by sacrebleu (Post 2018; Popovic 2015)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

LOG = logging.getLogger(__name__)


def translation_scores(given: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Return BLEU and chrF of whole data sets, in percent, and log their signatures.

    Args:
        given: translation of each text.
        wanted: reference of each text.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    found = {}
    for name, metric in (("BLEU", BLEU()), ("chrF", CHRF())):
        found[name] = float(metric.corpus_score(list(given), [list(wanted)]).score)
        LOG.info("sacrebleu: %s|%s", name, metric.get_signature())
    return found
