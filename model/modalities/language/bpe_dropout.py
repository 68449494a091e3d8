"""BPE dropout (Provilkov et al. 2020): random splits of subwords, which regularise the embeddings of rare words."""

from __future__ import annotations

import random

import numpy as np

from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.tokenizer import Tokenizer


def with_bpe_dropout(encoded: Subwords, tokenizer: Tokenizer, share: float, generator: random.Random) -> Subwords:
    """Split subwords in two at random; the numbers of their words stay.

    Args:
        share: probability of splitting a subword.
    """
    tokens: list[int] = []
    words: list[int] = []
    for token, word in zip(encoded.tokens.tolist(), encoded.words.tolist(), strict=True):
        ways = tokenizer.halves(token) if generator.random() < share else []
        parts = generator.choice(ways) if ways else (token,)
        tokens += parts
        words += [word] * len(parts)
    return Subwords(np.array(tokens), np.array(words))
