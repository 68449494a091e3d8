"""A request, prepared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omninet.model.modalities.language.words import Word
from omninet.model.modalities.vision.config import Framed
from omninet.model.rows import Row


@dataclass(frozen=True, eq=False)
class Job:
    """A request, prepared: one row, or one for each sentence.

    Attributes:
        times: of a video's frames, in seconds from its start.
        words: of a text, as the network takes them.
        framed: which part of its picture the network sees; None where it sees none.
    """

    task: str
    rows: tuple[Row, ...]
    sentences: tuple[tuple[Word, ...], ...] = ()
    notes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    framed: Framed | None = None

    @property
    def frames(self) -> np.ndarray | None:
        """What its first row shows, uint8 (t, 3, size, size); None where that is nothing."""
        return next((given.value for given in self.rows[0].inputs if given.frames), None)
