"""Configuration of page peripherals."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.config import positive
from omninet.model.errors import ConfigError

GROUPS = 8  # of channels that are normalised together
CELL = 8  # pixels of a cell's side
COARSEST = 32  # pixels of a side of the coarsest cells within the convolutions
SHAPE = 4, 3  # width to height of a tile


@dataclass(frozen=True)
class PageConfig:
    """Configuration of a page peripheral.

    Attributes:
        width: width in pixels of the tiles that a picture is seen in; their height is three quarters of it.
        most: pixels of a picture's longer side, to which larger pictures are scaled before they are cut into tiles.
        channels: channels of the cells; the first convolutions have a half of them, the coarsest ones twice.
    """

    width: int = 512
    most: int = 1536
    channels: int = 64

    def __post_init__(self) -> None:
        positive(self, "width", "most", "channels")
        if self.width % (SHAPE[0] * COARSEST):
            raise ConfigError(f"PageConfig.width must be divisible by {SHAPE[0] * COARSEST}, not {self.width}")
        if self.channels % (2 * GROUPS):
            raise ConfigError(f"PageConfig.channels must be divisible by {2 * GROUPS}, not {self.channels}")
        if self.most < self.width:
            raise ConfigError(f"PageConfig.most must be at least the width of a tile, {self.width}, not {self.most}")

    @property
    def height(self) -> int:
        """Height of a tile in pixels."""
        return self.width * SHAPE[1] // SHAPE[0]
