"""Result of a job. Does not import torch, since the server process receives results, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omninet.model.decoding.hypotheses import Decoded, Hypothesis

Watch = Callable[[Hypothesis], None]


@dataclass(frozen=True)
class Result:
    """Result of a job.

    Attributes:
        decoded: outputs of each row of the job.
        encode_ms, decode_ms: milliseconds of the slowest row.
        batch_rows: size of the largest running batch that one of its rows joined.
    """

    decoded: list[Decoded]
    encode_ms: float
    decode_ms: float
    batch_rows: int

    def before(self, later: Result) -> Result:
        """Return the result of a job that continues this one, with the time of both."""
        return Result(
            later.decoded,
            self.encode_ms + later.encode_ms,
            self.decode_ms + later.decode_ms,
            max(self.batch_rows, later.batch_rows),
        )
