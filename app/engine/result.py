"""What an engine gives back for a job. Nothing here imports torch: the process that serves HTTP reads it, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omninet.model.decoding.hypotheses import Decoded, Hypothesis

Watch = Callable[[Hypothesis], None]


@dataclass(frozen=True)
class Result:
    """What the model made of a job.

    Attributes:
        decoded: one for each row of the job.
        encode_ms, decode_ms: of the row that took longest.
        batch_rows: most that one of its rows was decoded among.
    """

    decoded: list[Decoded]
    encode_ms: float
    decode_ms: float
    batch_rows: int
