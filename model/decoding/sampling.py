"""Sampling parameters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters of one row.

    Attributes:
        temperature: divisor of the log-probabilities; above 1, unlikely classes become likelier.
        top_p: sample only from the likeliest classes whose probabilities add up to this value (nucleus sampling,
            Holtzman et al. 2020).
        seed: equal seeds give equal samples from equal probabilities, independent of other rows in the batch.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
