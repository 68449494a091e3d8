"""Configuration of line peripherals."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.config import positive
from omninet.model.errors import ConfigError

GROUPS = 8  # of channels that are normalised together
ROWS, COLUMNS = 8, 4  # pixels of a cell, downwards and across


@dataclass(frozen=True)
class LineConfig:
    """Configuration of a line peripheral.

    Attributes:
        height, width: size in pixels to which pictures are scaled.
        channels: channels of the last convolutions; the first have a quarter of them.
        dropout: dropout of the convolved channels.
    """

    height: int = 32
    width: int = 128
    channels: int = 128
    dropout: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "height", "width", "channels")
        if self.height % ROWS or self.width % COLUMNS:
            raise ConfigError(f"LineConfig.height must be divisible by {ROWS} and width by {COLUMNS}")
        if self.channels % (4 * GROUPS):
            raise ConfigError(f"LineConfig.channels must be divisible by {4 * GROUPS}, not {self.channels}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"LineConfig.dropout must be from 0 to below 1, not {self.dropout!r}")

    @property
    def steps(self) -> int:
        """Number of time steps: columns of cells."""
        return self.width // COLUMNS

    @property
    def cells(self) -> int:
        """Number of cells of a column."""
        return self.height // ROWS
