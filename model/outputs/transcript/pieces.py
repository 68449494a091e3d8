"""Long recordings are divided at quiet places into pieces that the network can read. Does not import torch."""

from __future__ import annotations

import numpy as np

SILENT = 32.0  # loudest 16-bit sample of a recording in which nothing can be heard, 60 dB below full scale
SEARCHED = 0.4  # share of a piece, at its end, in which the quietest place is sought
SMOOTHED = 0.1  # seconds over which loudness is averaged


def is_silent(samples: np.ndarray) -> bool:
    """Return whether nothing can be heard in samples, int16 (samples,)."""
    return float(np.abs(samples.astype(np.int32)).max(initial=0)) < SILENT


def pieces_of(samples: np.ndarray, rate: int, most: int) -> list[np.ndarray]:
    """Divide samples into pieces of at most ``most`` samples, at the quietest places."""
    width = max(1, round(SMOOTHED * rate))
    pieces = []
    while len(samples) > most:
        start = round((1 - SEARCHED) * most)
        power = samples[start:most].astype(np.float64) ** 2
        smooth = np.convolve(power, np.ones(width), "valid")
        cut = start + int(smooth.argmin()) + width // 2
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [*pieces, samples]
