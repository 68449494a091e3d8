"""What a language peripheral is, and a text as it takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from omninet.model.config import flags, one_of, positive

Step = Literal["subword", "word"]


@dataclass(frozen=True)
class LanguageConfig:
    """The subwords and their embedding. The defaults are the paper's.

    Attributes:
        vocabulary: subwords of the tokenizer; the row after the last is padding.
        d_embedding: width of a subword's embedding.
        lower_case: BPEmb's normalisation, lower case and every digit a zero, before segmentation.
        step: what makes a time step: a ``subword``, or a whole ``word``, so that step i is word i.
    """

    vocabulary: int = 25000
    d_embedding: int = 300
    lower_case: bool = True
    step: Step = "subword"

    def __post_init__(self) -> None:
        positive(self, "vocabulary", "d_embedding")
        flags(self, "lower_case")
        one_of(self, "step", get_args(Step))


class Subwords(NamedTuple):
    """A text as subword ids and, for each, the number of its word, counted from 1; each (t), int64."""

    tokens: np.ndarray
    words: np.ndarray
