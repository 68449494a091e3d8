"""Sample RGB frames of a video."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from omninet.model.config import Sampling
from omninet.model.errors import InputError
from omninet.model.media.containers import VIDEO_NAMES, open_video
from omninet.model.media.decoder import Fit, decode_at
from omninet.model.media.limits import MediaLimits
from omninet.model.media.timeline import read_timeline


@dataclass(frozen=True)
class Clip:
    """Frames sampled from a video.

    Attributes:
        frames: RGB, uint8, (F, 3, height, width).
        times: presentation time of each frame, seconds from the start of the clip.
        duration: length of the clip in seconds.
        truncated: True if the file ended early and only its readable part was sampled.
        fitted: True if the frames already have the square size of the backbone.
        aspect: width divided by height of the video, if ``frames`` have been fitted.
    """

    frames: np.ndarray
    times: tuple[float, ...]
    duration: float
    truncated: bool = False
    fitted: bool = False
    aspect: float = 1.0


def decode_video(
    data: bytes,
    frames: int = 16,
    limits: MediaLimits | None = None,
    sampling: Sampling = "spread",
    fit: Fit | None = None,
) -> Clip:
    """Sample frames of a video as players show it: edit lists, rotation and mirroring are applied.

    Only groups of pictures that contain a sampled frame are decoded.

    Args:
        frames: number of frames to sample.
        sampling: ``spread`` divides the clip into ``frames`` equal spans and takes the frame shown in the middle of
            each, so that variable frame rates are sampled by time; short clips repeat frames.
            ``stride`` takes the first ``frames`` of every fourth frame, as the authors' code does, or of every third,
            second or single frame if the clip is too short; shorter clips give fewer frames.
        fit: converts frames, uint8 RGB (t, 3, height, width), to their final size as soon as a few megapixels are
            decoded, so that large frames are never held together; None keeps them as they are.

    Raises:
        InputError: ``empty_file``, ``not_a_video``, ``no_video_stream``, ``corrupt_video``,
            ``video_too_long`` or ``video_too_large``.
    """
    limits = limits or MediaLimits()
    if not data:
        raise InputError("empty_file", f"the video file is empty; send {VIDEO_NAMES}")
    with open_video(data) as container:
        timeline = read_timeline(container, data, limits)
    if sampling == "stride":
        wanted = timeline.times[:: _stride(len(timeline.times))][:frames]
    else:
        wanted = [timeline.shown_at((i + 0.5) / frames * timeline.duration) for i in range(frames)]
    distinct = sorted(set(wanted))
    pictures, damaged = decode_at(data, timeline, distinct, limits, fit or _unchanged)
    return Clip(
        frames=pictures if wanted == distinct else pictures[[bisect_left(distinct, time) for time in wanted]],
        times=tuple(float((time - timeline.times[0]) * timeline.time_base) for time in wanted),
        duration=timeline.duration,
        truncated=timeline.truncated or damaged,
        fitted=fit is not None,
    )


def _unchanged(frames: np.ndarray) -> np.ndarray:
    return frames


def _stride(pictures: int) -> int:
    """Return the largest stride up to 4 that leaves more than 16 frames, else 1."""
    return next((stride for stride in (4, 3, 2) if pictures // stride > 16), 1)
