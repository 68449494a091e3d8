"""Sounds for tests, made with numpy and PyAV."""

from __future__ import annotations

import io
import wave
from fractions import Fraction
from typing import Any

import av
import numpy as np


def tone(seconds: float, rate: int, pitch: float = 440.0, loudness: float = 0.3) -> np.ndarray:
    """Return a steady tone, int16 (samples,)."""
    times = np.arange(round(seconds * rate)) / rate
    return (2**15 * loudness * np.sin(2 * np.pi * pitch * times)).astype(np.int16)


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Return a WAV file of samples, int16 (samples,) or (samples, channels)."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def encoded(
    samples: np.ndarray, rate: int, container: str, codec: str, layout: str = "mono", video: bool = False
) -> bytes:
    """Return a file with mono samples (samples,) on all channels; with ``video`` also a second of grey frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        sound: Any = file.add_stream(codec, rate=rate, layout=layout)
        pictures = file.add_stream("mpeg4", rate=10) if video else None
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
            for i in range(10):
                picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 100 + i, np.uint8), format="rgb24")
                file.mux(pictures.encode(picture))
            file.mux(pictures.encode())
        channels = len(sound.layout.channels)
        resampler = av.AudioResampler(format=sound.format.name, layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None], format="s16", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        size = sound.frame_size or len(samples)
        fifo = av.AudioFifo()
        for converted in (*resampler.resample(frame), *resampler.resample(None)):
            fifo.write(converted)
        while (part := fifo.read(size, partial=True)) is not None:
            file.mux(sound.encode(part))
        file.mux(sound.encode())
    return buffer.getvalue()
