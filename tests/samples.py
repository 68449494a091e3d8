"""Generated pictures and clips, so that tests need no files."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

CODECS = {
    "mp4": "mpeg4",
    "mov": "mpeg4",
    "avi": "mpeg4",
    "matroska": "mpeg4",
    "mpegts": "mpeg2video",
    "webm": "libvpx",
    "gif": "gif",
}


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A gradient with a bright square in its upper left corner."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([x, y, np.full_like(x, 90)], -1).astype(np.uint8)
    pixels[: height // 4, : width // 4] = 255
    return Image.fromarray(pixels)


def image_bytes(image: Image.Image | None = None, kind: str = "PNG", **options: Any) -> bytes:
    """An encoded picture."""
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_bytes(width: int = 64, height: int = 48) -> bytes:
    """A JPEG."""
    return image_bytes(picture(width, height), "JPEG", quality=95)


def brightness(i: int, frames: int) -> int:
    """Grey level of frame ``i`` of ``video_bytes``: it rises with time."""
    return round(20 + 200 * i / max(frames - 1, 1))


def video_bytes(
    container: str = "mp4",
    frames: int = 24,
    width: int = 64,
    height: int = 48,
    rotation: int = 0,
    times: list[int] | None = None,
    gop: int = 12,
    b_frames: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """A clip that brightens frame by frame, its upper left corner white.

    Args:
        container: a key of CODECS.
        times: presentation time of each frame in 1/24 s; by default 0, 1, 2, ...
        options: of the container, such as ``{"movflags": "faststart"}``.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options) as output:
        stream: Any = output.add_stream(CODECS[container], rate=24)
        stream.width, stream.height = width, height
        stream.pix_fmt = "rgb8" if container == "gif" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.bit_rate = 4_000_000
        if rotation:
            stream.set_display_rotation(rotation)
        for i, time in enumerate(times or range(frames)):
            pixels = np.full((height, width, 3), brightness(i, frames), np.uint8)
            pixels[: height // 4, : width // 4] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 24)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def audio_bytes() -> bytes:
    """A WAV of silence in a Matroska container: media without a video stream."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()
