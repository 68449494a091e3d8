"""A prepared request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from omninet.model.modalities.language.words import Word
from omninet.model.modalities.vision.config import Framed
from omninet.model.rows import Row


@dataclass(frozen=True, eq=False)
class Job:
    """A prepared request.

    Attributes:
        rows: rows of the batch, in general one; for tags, one per sentence.
        sentences: words of each sentence, for tags.
        notes: remarks about the inputs for the user, such as a truncated file.
        times: time stamps of a video's frames, in seconds from its start.
        words: text of each time step of the text inputs, for explanations.
        framed: part of the picture that the network sees; None without a picture.
        kept: what the output needs for the rows that continue (``Output.continued``), or for its answer; the network
            does not see it.
    """

    task: str
    rows: tuple[Row, ...]
    sentences: tuple[tuple[Word, ...], ...] = ()
    notes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    framed: Framed | None = None
    kept: Any = None

    @property
    def frames(self) -> np.ndarray | None:
        """Pictures of the first row, uint8 RGB (t, 3, height, width); None without one."""
        if self.framed is None:
            return None
        given = self.rows[0].inputs
        found: np.ndarray = next((each.value for each in given if each.frames), given[0].value[None])
        return found
