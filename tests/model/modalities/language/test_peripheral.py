"""The language peripheral with whole words as time steps; its subwords are held by the golden numbers."""

from __future__ import annotations

import numpy as np
import torch

from omninet.model.modalities.language.config import LanguageConfig, Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral, pool_words

# begin, a word of one subword, one of three, one of two, end
WORDS = [0, 1, 2, 2, 2, 3, 3, 4]


def peripheral() -> LanguagePeripheral:
    torch.manual_seed(0)
    made = LanguagePeripheral(LanguageConfig(vocabulary=20, d_embedding=6, step="word"), 10)
    return made.double().eval()


def row(words: list[int]) -> Subwords:
    return Subwords(np.arange(len(words)) + 1, np.array(words))


def test_a_word_is_pooled_from_first_last_and_mean() -> None:
    x = torch.randn(1, len(WORDS), 3, dtype=torch.float64)

    found, mask = pool_words(x, torch.tensor([WORDS]))

    spans = [(1, 2), (2, 5), (5, 7), (7, 8)]
    expected = [torch.cat([x[0, a], x[0, b - 1], x[0, a:b].mean(0)]) for a, b in spans]
    torch.testing.assert_close(found, torch.stack(expected)[None])
    assert mask.tolist() == [[True] * 4]


def test_padding_does_not_change_a_sentence() -> None:
    language = peripheral()
    short, long = row([0, 1, 1, 2]), row(WORDS)

    together, mask = language(LanguagePeripheral.collate([short, long]))
    alone, _ = language(LanguagePeripheral.collate([short]))

    assert together.shape == (2, 4, 1, 10)
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    torch.testing.assert_close(together[:1, :2], alone, rtol=0, atol=1e-12)


def test_padding_has_no_gradient() -> None:
    language = peripheral()
    x, mask = language(LanguagePeripheral.collate([row([0, 1]), row(WORDS)]))

    (x * mask[..., None, None]).sum().backward()

    assert language.embedding.weight.grad is not None
    assert bool((language.embedding.weight.grad[-1] == 0).all())
