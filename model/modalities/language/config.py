"""Configuration of language peripherals, and tokenised texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from omninet.model.config import flags, one_of, plain_name, positive

Step = Literal["subword", "word"]


@dataclass(frozen=True)
class LanguageConfig:
    """Configuration of a language peripheral. The defaults are the paper's.

    Attributes:
        vocabulary: number of subwords; the embedding has one more row for padding.
        d_embedding: width of the subword embeddings.
        lower_case: normalise texts as BPEmb does: lower case, all digits to zero.
        step: unit of a time step: ``subword`` or ``word``.
        tokenizer: name of the tokenizer; empty is the one that all texts share that name none.
    """

    vocabulary: int = 25000
    d_embedding: int = 300
    lower_case: bool = True
    step: Step = "subword"
    tokenizer: str = ""

    def __post_init__(self) -> None:
        plain_name(self, "tokenizer")
        positive(self, "vocabulary", "d_embedding")
        flags(self, "lower_case")
        one_of(self, "step", get_args(Step))


class Subwords(NamedTuple):
    """A tokenised text: subword ids, and for each the number of its word, counted from 1; both (t,), int64."""

    tokens: np.ndarray
    words: np.ndarray
