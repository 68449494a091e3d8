"""Texts whose subwords are written otherwise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from omninet.model.modalities.language.bpe_dropout import with_bpe_dropout
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.tokenizer import Tokenizer

WORDS = ["She", "sells", "7", "shells", "runs", "☃", "quickly"]


@pytest.fixture
def tokenizer(tokenizer_file: Path) -> Tokenizer:
    return Tokenizer(tokenizer_file, lower_case=False)


def spelled(encoded: Subwords, tokenizer: Tokenizer) -> Iterator[str]:
    """Each word as its subwords spell it."""
    pairs = zip(encoded.words.tolist(), encoded.tokens.tolist(), strict=True)
    for _, members in groupby(pairs, key=lambda pair: pair[0]):
        yield "".join(tokenizer.pieces([token for _, token in members]))


def test_words_stay_and_subwords_are_split(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode(WORDS)

    varied = with_bpe_dropout(encoded, tokenizer, 1.0, random.Random(0))

    assert list(spelled(varied, tokenizer)) == list(spelled(encoded, tokenizer))
    assert len(varied.tokens) > len(encoded.tokens)
    assert [varied.tokens[0], varied.tokens[-1]] == [tokenizer.begin, tokenizer.end]
    assert len(varied.tokens) == len(varied.words)


def test_a_share_of_zero_changes_nothing(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode(WORDS)

    same = with_bpe_dropout(encoded, tokenizer, 0.0, random.Random(0))

    assert np.array_equal(same.tokens, encoded.tokens)
    assert np.array_equal(same.words, encoded.words)


def test_the_share_is_kept(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode(WORDS)
    can = sum(bool(tokenizer.halves(token)) for token in encoded.tokens.tolist())

    generator = random.Random(0)
    more = [len(with_bpe_dropout(encoded, tokenizer, 0.2, generator).tokens) - len(encoded.tokens) for _ in range(500)]

    assert sum(more) / len(more) == pytest.approx(0.2 * can, rel=0.15)
    assert len({tuple(with_bpe_dropout(encoded, tokenizer, 0.5, generator).tokens.tolist()) for _ in range(50)}) > 5
