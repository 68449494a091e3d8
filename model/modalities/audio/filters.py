"""Log-mel spectra with torch operations alone, equal to those of librosa."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_POWER = 1e-10
# The mel scale of Slaney's Auditory Toolbox (1998): linear below a frequency, logarithmic above.
LINEAR = 200 / 3  # hertz a mel, below BREAK
BREAK = 1000.0  # hertz
LOG_STEP = math.log(6.4) / 27  # logarithm of the ratio of two frequencies a mel apart, above BREAK


def hertz_of(mels: Tensor) -> Tensor:
    """Convert mels to hertz."""
    above = BREAK * torch.exp(LOG_STEP * (mels - BREAK / LINEAR))
    return torch.where(mels < BREAK / LINEAR, LINEAR * mels, above)


def mel_of(hertz: float) -> float:
    """Convert hertz to mels."""
    return hertz / LINEAR if hertz < BREAK else BREAK / LINEAR + math.log(hertz / BREAK) / LOG_STEP


def mel_filters(rate: int, window: int, mels: int) -> Tensor:
    """Return triangular filters of equal area from 0 hertz to half the sample rate, (mels, window // 2 + 1)."""
    edges = hertz_of(torch.linspace(0, mel_of(rate / 2), mels + 2, dtype=torch.float64))
    bins = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (upper - lower)
    return filters.float()


class LogMel(nn.Module):
    """Natural logarithm of the power in mel bands (Davis and Mermelstein 1980): (b, samples) -> (b, frames, mels).

    Frame i is centred on sample i * hop; the recording is mirrored at its ends, and every window is weighted by Hann's.

    Args:
        rate: samples a second.
        window, hop: samples of a window, and from one to the next.
        mels: number of bands.
    """

    def __init__(self, rate: int, window: int, hop: int, mels: int) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        # No buffers, since lower precisions of the network must not round them.
        self.weights, self.filters = torch.hann_window(window), mel_filters(rate, window, mels)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute spectra of samples in [-1, 1], at least half a window of them."""
        half = self.window // 2
        padded = functional.pad(samples[:, None], (half, half), mode="reflect")[:, 0]
        weights, filters = self.weights.to(samples.device), self.filters.to(samples.device)
        spectra = torch.stft(padded.float(), self.window, self.hop, window=weights, center=False, return_complex=True)
        power = spectra.real**2 + spectra.imag**2
        return (filters @ power).clamp(min=LEAST_POWER).log().transpose(1, 2)
