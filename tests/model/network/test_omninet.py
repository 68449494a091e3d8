"""The whole network: peripherals and CNP."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral
from omninet.model.network.temporal_encoder import Exits

PIXELS = torch.arange(2 * 3 * 64 * 64, dtype=torch.uint8).view(1, 2, 3, 64, 64)


def text(*tokens: int) -> Subwords:
    """Subwords of which each is a word; the first is the begin token."""
    return Subwords(np.array(tokens), np.arange(len(tokens)))


def test_inputs_are_encoded_in_their_order(toy: Checkpoint) -> None:
    texts = LanguagePeripheral.collate([text(1, 5, 7, 2)])

    with torch.no_grad():
        memory = toy.network.encode(
            [("vision", "image", PIXELS), ("language", "english", texts), ("vision", "image", PIXELS[:, :1])]
        )

    assert memory.links == (((2, 4), (3, 1), (1, 4)),)
    assert memory.frame.tolist() == [[0] * 4 + [1] * 4 + [5] * 4]


def test_texts_of_different_lengths_are_padded(toy: Checkpoint) -> None:
    texts = [text(1, 5, 7, 2), text(1, 2)]

    with torch.no_grad():
        memory = toy.network.encode([("language", "english", LanguagePeripheral.collate(texts))])
        alone = toy.network.encode([("language", "english", LanguagePeripheral.collate(texts[1:]))])

    assert memory.temporal_mask.sum(1).tolist() == [3, 1]
    torch.testing.assert_close(memory.temporal[1, :1], alone.temporal[0], rtol=0, atol=1e-5)


def test_encode_returns_the_states_that_the_exits_have(toy: Checkpoint) -> None:
    texts = LanguagePeripheral.collate([text(1, 5, 7, 2)])
    inputs = [("vision", "image", PIXELS), ("language", "english", texts)]
    exits: Exits = {0: [], 1: []}

    with torch.no_grad():
        toy.network.encode(inputs, exits=exits)
        wanted, _ = toy.network.exits(inputs, exits)

    for depth, states in exits.items():
        assert torch.equal(torch.cat(states, 1), wanted[depth])


def test_encode_without_inputs_is_an_error(toy: Checkpoint) -> None:
    with pytest.raises(ValueError, match="at least one input"):
        toy.network.encode([])
