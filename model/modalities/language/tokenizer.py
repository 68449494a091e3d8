"""Segmentation of words to subwords, and of subwords back to text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omninet.model.modalities.language.config import Subwords


class Tokenizer:
    """Subword tokenizer with a SentencePiece model file; gives the subwords that BPEmb gives with that file.

    Args:
        lower_case: first convert to lower case and all digits to zero, as BPEmb's published models expect.
    """

    def __init__(self, model_file: Path, lower_case: bool) -> None:
        from sentencepiece import SentencePieceProcessor

        self.model_file, self.lower_case = model_file, lower_case
        self._pieces: Any = SentencePieceProcessor(model_file=str(model_file))
        self.begin = int(self._pieces.bos_id())
        self.end = int(self._pieces.eos_id())
        self.unknown = int(self._pieces.unk_id())

    def __reduce__(self) -> tuple[Any, ...]:
        # SentencePiece objects cannot be pickled: load the file again instead.
        return Tokenizer, (self.model_file, self.lower_case)

    def __len__(self) -> int:
        return int(self._pieces.get_piece_size())

    def encode(self, words: Sequence[str]) -> Subwords:
        """Tokenise words: the begin token (word 0), the subwords of every word, the end token (word after the last).

        A word without any known subword becomes the unknown token, so that every word has at least one.
        """
        tokens, numbers = [self.begin], [0]
        for number, word in enumerate(words, 1):
            known = self._ids(word) or [self.unknown]
            tokens += known
            numbers += [number] * len(known)
        return Subwords(np.array([*tokens, self.end]), np.array([*numbers, len(words) + 1]))

    def encode_output(self, text: str) -> list[int]:
        """Return the subword ids of a target text, with the end token."""
        return [*self._ids(text), self.end]

    def _ids(self, text: str) -> list[int]:
        """Return the subword ids of a text; a text of white space alone has none."""
        plain = re.sub(r"\d", "0", text.lower()) if self.lower_case else text
        ids: list[int] = self._pieces.encode_as_ids(plain)
        return ids

    def halves(self, token: int) -> list[tuple[int, int]]:
        """Return all splits of a subword into two known subwords."""
        if self._pieces.is_control(token) or self._pieces.is_unknown(token):
            return []
        piece = self._pieces.id_to_piece(token)
        pairs = [tuple(map(self._pieces.piece_to_id, (piece[:i], piece[i:]))) for i in range(1, len(piece))]
        return [(left, right) for left, right in pairs if self.unknown not in (left, right)]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the text of each subword; joined they give the sentence."""
        texts = ["" if self._pieces.is_control(i) else self._pieces.id_to_piece(i).replace("▁", " ") for i in ids]
        for i, text in enumerate(texts):
            if text.strip():
                texts[i] = text.lstrip()
                break
            texts[i] = ""
        return texts
