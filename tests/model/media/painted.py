"""Clips whose frames carry their own number."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np

from omninet.model.media.videos import Clip

RATE = 30


def painted(number: int, width: int = 128, height: int = 64) -> np.ndarray:
    """Return a frame, (height, width, 3): an 8-bit number above, red at the lower left, blue at the lower right."""
    frame = np.empty((height, width, 3), np.uint8)
    for bit in range(8):
        frame[: height // 2, bit * width // 8 : (bit + 1) * width // 8] = 235 if number >> bit & 1 else 20
    frame[height // 2 :, : width // 2] = 200, 40, 40
    frame[height // 2 :, width // 2 :] = 40, 40, 200
    return frame


def numbers(clip: Clip) -> list[int]:
    """Return the numbers of a clip's frames."""
    height, width = clip.frames.shape[2:]
    upper = clip.frames[:, :, : height // 2].astype(float).mean((1, 2))
    centres = [int((bit + 0.5) * width / 8) for bit in range(8)]
    return [sum(1 << bit for bit, x in enumerate(centres) if row[x] > 128) for row in upper]


def sampled(count: int, first: int = 0, samples: int = 16) -> list[int]:
    """Return the numbers of the frames in the middle of even spans of ``count`` frames."""
    return [first + int((i + 0.5) / samples * count) for i in range(samples)]


def packets(stream: Any, count: int, first: int = 0) -> list[Any]:
    """Encode ``count`` painted frames."""
    found: list[Any] = []
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(painted(first + i, stream.width, stream.height), format="rgb24")
        frame.pts, frame.time_base = i, Fraction(1, RATE)
        found += stream.encode(frame)
    found += stream.encode()
    return found


def add_video(output: Any, codec: str, b_frames: int = 0, gop: int = 12, size: tuple[int, int] = (128, 64)) -> Any:
    """Add a stream of painted frames to a container."""
    stream = output.add_stream(codec, rate=RATE)
    stream.width, stream.height = size
    stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
    stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, b_frames
    stream.bit_rate = 4_000_000
    return stream


def painted_bytes(
    container: str, codec: str, count: int = 60, first: int = 0, start: float = 0, last: float = 0, **options: Any
) -> bytes:
    """Return a clip of painted frames.

    Args:
        first: number of the first frame.
        start: time of the first frame in seconds.
        last: for how long the last frame is shown, in seconds; 0 for as long as the others.
        options: of ``add_video``.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = add_video(output, codec, **options)
        encoded = packets(stream, count, first)
        for packet in encoded:
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        if last:
            encoded[-1].duration = round(last / encoded[-1].time_base)
        output.mux(encoded)
    return buffer.getvalue()
