"""Language peripheral: embedded subwords, one time step each (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from model.config import flags, positive
from model.layers import sinusoid_table
from model.peripherals.base import Peripheral


@dataclass(frozen=True)
class LanguageConfig:
    """The subwords and their embedding. The defaults are the paper's.

    Attributes:
        vocabulary: subwords of the tokenizer; the row after the last is padding.
        d_embedding: width of a subword's embedding.
        lower_case: BPEmb's normalisation, lower case and every digit a zero, before segmentation.
        word_positions: add the sinusoid of a subword's word, so that words can be counted.
        max_words: words that positions are kept for.
    """

    vocabulary: int = 25000
    d_embedding: int = 300
    lower_case: bool = True
    word_positions: bool = False
    max_words: int = 500

    def __post_init__(self) -> None:
        positive(self, "vocabulary", "d_embedding", "max_words")
        flags(self, "lower_case", "word_positions")


class Subwords(NamedTuple):
    """A text as subword ids and, for each, the number of its word, counted from 1; each (t)."""

    tokens: Tensor
    words: Tensor


class Text(NamedTuple):
    """Padded texts, each (b, t); the mask is true at real subwords."""

    tokens: Tensor
    words: Tensor
    mask: Tensor


class LanguagePeripheral(Peripheral):
    """Subwords -> embedding -> projection, (b, t) -> (b, t, 1, d)."""

    domain = "english"
    Config = LanguageConfig
    positions: Tensor

    def __init__(self, config: LanguageConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 1, config.d_embedding, padding_idx=config.vocabulary)
        self.projection = nn.Linear(config.d_embedding, d_model)
        nn.init.orthogonal_(self.projection.weight)
        table = sinusoid_table(config.max_words, d_model) if config.word_positions else torch.zeros(0, d_model)
        self.register_buffer("positions", table, persistent=False)

    @staticmethod
    def collate(rows: Sequence[Subwords]) -> Text:
        """Texts of any lengths, padded to the longest."""
        mask = pad_sequence([torch.ones_like(row.tokens, dtype=torch.bool) for row in rows], batch_first=True)
        tokens = pad_sequence([row.tokens for row in rows], batch_first=True)
        return Text(tokens, pad_sequence([row.words for row in rows], batch_first=True), mask)

    def forward(self, batch: Text) -> tuple[Tensor, Tensor]:
        """Text (b, t) -> (b, t, 1, d) and its mask."""
        tokens = batch.tokens.masked_fill(~batch.mask, self.config.vocabulary)
        x = self.projection(self.embedding(tokens))
        if self.config.word_positions:
            x = x + self.positions[batch.words.clamp(max=self.config.max_words)]
        return x.unsqueeze(2), batch.mask
