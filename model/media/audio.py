"""Decode the sound of a recording or a video to one channel at a given sample rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from omninet.model.errors import InputError
from omninet.model.media.containers import AUDIO_NAMES, audio_stream, ends_early, open_audio
from omninet.model.media.errors import STREAM_ERRORS
from omninet.model.media.limits import MediaLimits

RATES = (4_000, 384_000)  # smallest and largest sample rate of a recording, in hertz
MOST_CHANNELS = 64
WHOLE = 0.9  # share of the length in the header above which a recording counts as whole


@dataclass(frozen=True, eq=False)
class Recording:
    """The sound of a recording.

    Attributes:
        samples: one channel, int16, (samples,).
        rate: samples a second.
        truncated: True if the file is damaged or ended early and only its readable part was decoded.
    """

    samples: np.ndarray
    rate: int
    truncated: bool = False

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.rate


def decode_audio(data: bytes, rate: int, limits: MediaLimits | None = None) -> Recording:
    """Decode a recording of any sample rate and number of channels, and resample their mean.

    Args:
        rate: wanted samples a second.

    Raises:
        InputError: ``empty_file``, ``not_audio``, ``no_audio_stream``, ``corrupt_audio`` or ``audio_too_long``.
    """
    limits = limits or MediaLimits()
    if not data:
        raise InputError("empty_file", f"the audio file is empty; send {AUDIO_NAMES}")
    with open_audio(data) as container:
        stream = audio_stream(container)
        announced = float(container.duration or 0) / av.time_base
        if container.format.name != "mp3":  # whose length is a guess
            check_seconds(announced, limits.audio_seconds)
        decoder = SoundDecoder(container, stream, rate, int(limits.audio_seconds * rate) + rate)
        samples = decoder.samples()
        check_seconds(len(samples) / rate, limits.audio_seconds)
        cut = ends_early(data, container.format.name)
        if cut is None and container.format.name != "mp3":
            cut = len(samples) / rate < WHOLE * announced and len(container.streams) == 1
    if not len(samples):
        raise InputError("corrupt_audio", "no sound of the file can be decoded; send an intact file")
    return Recording(samples, rate, bool(cut) or decoder.damaged)


def check_seconds(seconds: float, limit: float) -> None:
    """Compare the duration of a recording with its limit.

    Raises:
        InputError: ``audio_too_long``.
    """
    if seconds > limit:
        raise InputError(
            "audio_too_long",
            f"the recording lasts {seconds:.1f} s; at most {limit:g} s are accepted (OMNINET_MAX_AUDIO_SECONDS); "
            "send a part of it",
            seconds=round(seconds, 3),
            limit=limit,
        )


class SoundDecoder:
    """One pass over the sound of a container.

    Args:
        most: number of samples after which decoding ends.

    Attributes:
        damaged: True if a part could not be decoded.
    """

    def __init__(self, container: InputContainer, stream: Any, rate: int, most: int) -> None:
        self.container, self.stream, self.rate, self.most = container, stream, rate, most
        self.damaged = False

    def samples(self) -> np.ndarray:
        """Return the samples, int16, (samples,)."""
        parts, count = list[np.ndarray](), 0
        for frame in self._resampled():
            parts.append(frame.to_ndarray()[0])
            count += len(parts[-1])
            if count > self.most:
                break
        return np.concatenate(parts) if parts else np.empty(0, np.int16)

    def _resampled(self) -> Iterator[AudioFrame]:
        """Convert all frames to one channel; each part with another sample rate has a resampler of its own."""
        resampler, rate = None, 0
        for frame in self._frames():
            if rate != (rate := frame.sample_rate):
                if resampler is not None:
                    yield from resampler.resample(None)
                resampler = AudioResampler(format="s16", layout="mono", rate=self.rate)
            assert resampler is not None
            yield from resampler.resample(mono_of(frame))
        if resampler is not None:
            yield from resampler.resample(None)

    def _frames(self) -> Iterator[AudioFrame]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except STREAM_ERRORS:
                self.damaged = True
                return
            if packet is None:
                return
            try:
                for frame in packet.decode():
                    _check_form(frame)
                    yield frame
            except STREAM_ERRORS:
                self.damaged = True


def mono_of(frame: AudioFrame) -> AudioFrame:
    """Return the mean of all channels, as floats in [-1, 1]; without a time stamp, so that gaps are not filled."""
    values = frame.to_ndarray()
    channels = values if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels).T
    mean = channels.astype(np.float64).mean(0)
    if values.dtype.kind == "u":
        mean = mean / 2 ** (8 * values.dtype.itemsize - 1) - 1
    elif values.dtype.kind == "i":
        mean /= 2 ** (8 * values.dtype.itemsize - 1)
    found = AudioFrame.from_ndarray(mean.astype(np.float32)[None], format="flt", layout="mono")
    found.sample_rate = frame.sample_rate
    return found


def _check_form(frame: AudioFrame) -> None:
    """Compare the sample rate and the channels of a frame with their limits.

    Raises:
        InputError: ``corrupt_audio``.
    """
    if not RATES[0] <= frame.sample_rate <= RATES[1]:
        raise InputError(
            "corrupt_audio",
            f"the recording has {frame.sample_rate} samples a second; {RATES[0]} to {RATES[1]} are accepted",
        )
    if not 0 < frame.layout.nb_channels <= MOST_CHANNELS:
        raise InputError(
            "corrupt_audio",
            f"the recording has {frame.layout.nb_channels} channels; 1 to {MOST_CHANNELS} are accepted",
        )
