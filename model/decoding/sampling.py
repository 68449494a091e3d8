"""How outputs are drawn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn.

    Attributes:
        temperature: that logarithms of probabilities are divided by; above 1 the unlikely becomes likelier.
        top_p: only the likeliest classes are drawn from that together have so much probability (Holtzman et al. 2020).
        seed: the same draws the same from the same probabilities, whatever else is in the batch.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
