"""Limits of images, videos and recordings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaLimits:
    """Limits of one image, video or recording; larger ones are rejected, before decoding if the header states the size.

    Attributes:
        image_pixels: pixels of an image.
        whole_image_pixels: pixels of an image that has to be decoded whole: all but JPEGs that are not progressive.
        frame_pixels: pixels of a video frame.
        video_seconds: duration of a video in seconds.
        decoded_frames: frames decoded to sample a video.
        audio_seconds: duration of a recording in seconds.
    """

    image_pixels: int = 200_000_000
    whole_image_pixels: int = 52_000_000
    frame_pixels: int = 10_000_000
    video_seconds: float = 600.0
    decoded_frames: int = 6_000
    audio_seconds: float = 120.0
