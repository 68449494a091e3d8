"""Words of captions, which a student learns to name beside its teachers' features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from omninet.training.data import DATASETS, DataError
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.pack import PackedPhoto

# They say nothing about what a photo shows.
FUNCTION_WORDS = frozenset(("a", "an", "and", "are", "as", "at", "in", "is", "of", "on", "the", "to", "while", "with"))


@dataclass(frozen=True)
class CaptionWords:
    """The words that the captions of packed photos contain.

    Attributes:
        words: in the order of the columns of ``shares``.
        shares: (photos of the pack, words), how often the captions of a photo have each word, as shares of all the
            words counted, so that a row sums to 1; a photo without captions has zeros.
        weight: of the loss.
    """

    words: tuple[str, ...]
    shares: Tensor
    weight: float

    @classmethod
    def read(cls, config: DistillConfig, data: Path | None, photos: Sequence[PackedPhoto]) -> CaptionWords | None:
        """Read the training captions of the configuration's data sets; None if the configuration wants no words.

        Args:
            photos: entries of the pack.

        Raises:
            DataError: the data folder is not given, or no packed photo has a caption with a frequent word.
        """
        if config.words is None:
            return None
        if data is None:
            raise DataError("words are learned from captions: name the folder of the data sets with --data")
        told = {
            (name, path.name): _words(example.captions)
            for name, folder in config.datasets.items()
            for example in DATASETS[name](data / folder).read("train")
            for path in example.media
            if example.captions
        }
        found = [told.get((photo.collection, photo.name), ()) for photo in photos]
        counts = Counter(word for words in found for word in words)
        words = tuple(word for word, count in sorted(counts.items()) if count >= config.words.least)
        if not words:
            raise DataError(f"words: no word is in {config.words.least} captions of packed photos")
        return cls(words, _shares(found, words), config.words.weight)

    def loss(self, logits: Tensor, photos: Tensor) -> Tensor:
        """Return the mean divergence of the predicted from the true shares, of photos with captions (else 0).

        Args:
            logits: (b, words).
            photos: their numbers, (b,).
        """
        wanted = self.shares[photos.to(self.shares.device)].to(logits.device)
        divergence = functional.kl_div(functional.log_softmax(logits.float(), -1), wanted, reduction="none").sum(-1)
        known = wanted.sum(-1) > 0
        return self.weight * (divergence * known).sum() / known.sum().clamp(min=1)


def _words(captions: Sequence[str]) -> tuple[str, ...]:
    """Return each caption's words but function words; a word counts once for a caption."""
    found = [sorted(set(re.findall("[a-z]+", caption.lower())) - FUNCTION_WORDS) for caption in captions]
    return tuple(word for words in found for word in words)


def _shares(found: Sequence[Sequence[str]], words: Sequence[str]) -> Tensor:
    column = {word: number for number, word in enumerate(words)}
    shares = torch.zeros(len(found), len(words))
    for row, said in zip(shares, found, strict=True):
        for word in said:
            if word in column:
                row[column[word]] += 1
    return shares / shares.sum(-1, keepdim=True).clamp(min=1)
