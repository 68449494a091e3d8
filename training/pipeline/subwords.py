"""Subword models: trained on the run's texts with case and digits kept, or BPEmb's with its vectors."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor

from omninet.training.data import DataError


def train_subwords(texts: Iterable[str], vocabulary: int, path: Path) -> None:
    """Train a subword model on ``texts`` and write it to ``path``; every digit is a separate subword."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary,
        character_coverage=0.9998,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())


def published_subwords(vocabulary: int, width: int) -> tuple[Path, Tensor]:
    """Return BPEmb's English subwords (paper, section 3.1), from its cache or by download.

    Returns:
        The SentencePiece model and the vectors, (vocabulary, width).

    Raises:
        DataError: the subwords cannot be downloaded, or do not exist in this size.
    """
    from bpemb import BPEmb

    try:
        published = BPEmb(lang="en", vs=vocabulary, dim=width)
    except (OSError, ValueError) as error:
        raise DataError(
            f"BPEmb's {vocabulary} English subwords of width {width} are not available: {error}; "
            "download the en.wiki.bpe files from https://bpemb.h-its.org or set subwords: trained"
        ) from error
    return Path(published.model_file), torch.from_numpy(published.vectors)
