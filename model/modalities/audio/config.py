"""Configuration of audio peripherals."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.config import not_negative, positive
from omninet.model.errors import ConfigError

STRIDE = 4  # of both convolutions together


@dataclass(frozen=True)
class AudioConfig:
    """Configuration of an audio peripheral.

    Attributes:
        rate: samples a second; recordings are resampled to it.
        window_ms, hop_ms: length of a spectrum's window, and time from one to the next, in milliseconds.
        mels: number of mel bands.
        channels: channels of the two convolutions.
        blocks: residual convolution blocks after them (eight in Kaiser et al. 2017); they keep every time step.
        dropout: dropout of the convolved channels.
    """

    rate: int = 16_000
    window_ms: int = 25
    hop_ms: int = 10
    mels: int = 80
    channels: int = 64
    blocks: int = 0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "rate", "window_ms", "hop_ms", "mels", "channels")
        not_negative(self, "blocks")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"AudioConfig.dropout must be from 0 to below 1, not {self.dropout!r}")

    @property
    def window(self) -> int:
        """Samples of a spectrum's window."""
        return self.rate * self.window_ms // 1000

    @property
    def hop(self) -> int:
        """Samples from one spectrum to the next."""
        return self.rate * self.hop_ms // 1000

    @property
    def step(self) -> int:
        """Samples of a time step of the network."""
        return STRIDE * self.hop
