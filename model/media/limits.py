"""What media may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaLimits:
    """What a single upload may cost; more is refused before it is decoded where the header tells."""

    image_pixels: int = 50_000_000
    frame_pixels: int = 10_000_000
    video_seconds: float = 600.0
    decoded_frames: int = 6_000
