"""Language peripheral: embedded subwords, one time step each (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from omninet.model.modalities.language.config import LanguageConfig, Subwords
from omninet.model.modalities.peripheral import Peripheral


class Text(NamedTuple):
    """Padded texts, each (b, t); the mask is true at real subwords."""

    tokens: Tensor
    words: Tensor
    mask: Tensor


class LanguagePeripheral(Peripheral):
    """Embeds subwords and projects them: (b, t) -> (b, t, 1, d).

    If words are time steps, those of a word's first and last subword and their mean are concatenated.
    """

    def __init__(self, config: LanguageConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 1, config.d_embedding, padding_idx=config.vocabulary)
        self.projection = nn.Linear(config.d_embedding * (3 if config.step == "word" else 1), d_model)
        nn.init.orthogonal_(self.projection.weight)
        # Smaller than the position vectors that are added, so that attention can use the positions.
        self.embedding.weight.data *= 0.3

    @staticmethod
    def collate(rows: Sequence[Subwords]) -> Text:
        """Collate texts of any lengths, padded to the longest."""
        tokens, words = ([torch.as_tensor(part) for part in parts] for parts in zip(*rows, strict=True))
        mask = pad_sequence([torch.ones_like(row, dtype=torch.bool) for row in tokens], batch_first=True)
        return Text(pad_sequence(tokens, batch_first=True), pad_sequence(words, batch_first=True), mask)

    def forward(self, batch: Text, moves: bool = True) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Encode texts (b, t) to (b, t or words, 1, d); return the mask (b, t or words) as well."""
        tokens = batch.tokens.masked_fill(~batch.mask, self.config.vocabulary)
        x, mask = self.embedding(tokens), batch.mask
        if self.config.step == "word":
            x, mask = pool_words(x, batch.words * batch.mask)
        return self.projection(x).unsqueeze(2), mask


def pool_words(x: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Pool the subword embeddings of each word: concatenate those of its first and last subword and the mean.

    Args:
        x: subword embeddings, (b, t, e).
        words: number of each subword's word, (b, t); 0 (begin token and padding) belongs to no word.

    Returns:
        Word embeddings, (b, w, 3 e), and their mask, (b, w).
    """
    numbers = torch.arange(1, int(words.max()) + 1, device=words.device)
    member = words[:, None, :] == numbers[:, None]
    count = member.sum(-1, keepdim=True)
    first = member.int().argmax(-1, keepdim=True)
    last = (first + count - 1).clamp(min=0)
    ends = [x.gather(1, place.expand(-1, -1, x.shape[-1])) for place in (first, last)]
    mean = member.to(x.dtype) @ x / count.clamp(min=1)
    return torch.cat([*ends, mean], -1), count[..., 0] > 0
