"""A subword model of one's own: SentencePiece BPE, case and digits kept."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece


def train_subwords(texts: Iterable[str], vocabulary: int, path: Path) -> None:
    """Fit a subword model to ``texts`` and write it to ``path``; every digit is a subword of its own."""
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
