"""Audio modality: decoding of recordings."""

from __future__ import annotations

import io
import random
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from omninet.model.errors import InputError
from omninet.model.media.audio import Recording, check_seconds, decode_audio
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.audio.config import AudioConfig
from omninet.model.modalities.base import Form, Modality, Ready, Resources, Variation
from omninet.model.modalities.files import bytes_of

if TYPE_CHECKING:
    from omninet.model.modalities.audio.peripheral import AudioPeripheral

AudioInput = Recording | bytes | str | Path | np.ndarray
LOUDEST = 2**15  # of 16-bit samples
QUIET = 300.0  # loudness of 16-bit samples that noise is relative to if the recording is silent
CUT_AUDIO = "the recording is damaged or cut short: only its readable part was used"
# Augmentation in training: ranges of speed, of the noise in decibels below the recording, and of the seconds between
# joined recordings and of noise alone.
SPEEDS, NOISE, GAPS, ALONE = (0.85, 1.15), (10.0, 50.0), (0.05, 0.4), (0.3, 4.0)


@dataclass(frozen=True)
class Joined:
    """Recordings that training joins to one, with quiet gaps between them; without files, it is noise alone."""

    files: tuple[Path, ...]


class AudioModality(Modality):
    """Recordings of any format, as samples of one channel, int16 (samples,)."""

    Config = AudioConfig
    config: AudioConfig
    forms: ClassVar[Mapping[str, Form]] = {
        "audio": Form(
            bytes,
            "wav, flac, ogg, mp3, m4a, webm, or a video with sound.",
            upload=True,
            accept="audio/*,video/*,.flac,.opus,.mkv,.ts",
        ),
    }

    @staticmethod
    def peripheral() -> type[AudioPeripheral]:
        """Import and return AudioPeripheral."""
        from omninet.model.modalities.audio.peripheral import AudioPeripheral

        return AudioPeripheral

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:  # noqa: ARG002
        """Decode a recording and resample it to one channel.

        Args:
            value: a file's bytes or path, a Recording, or samples of this peripheral's rate: int16, or floats in
                [-1, 1], (samples,).
        """
        ready = self.whole(value, resources.limits)
        self._check_steps(ready.value, resources)
        return ready

    def whole(self, value: Any, limits: MediaLimits) -> Ready:
        """Decode a recording, which may have more time steps than the network reads; see ``prepare``."""
        recording = self._recording(value, limits)
        check_seconds(recording.seconds, limits.audio_seconds)
        return Ready(recording.samples, notes=(CUT_AUDIO,) if recording.truncated else ())

    def sample(self, number: int) -> np.ndarray:
        """Return a second of a rising tone with noise, int16."""
        generator = np.random.default_rng(number)
        times = np.arange(self.config.rate) / self.config.rate
        tone = np.sin(2 * np.pi * (200 + 50 * (number % 16) + 300 * times) * times)
        return (LOUDEST * (0.2 * tone + 0.02 * generator.standard_normal(len(times)))).astype(np.int16)

    def varied(self, role: str, form: str, value: Any, resources: Resources, variation: Variation) -> np.ndarray:  # noqa: ARG002
        """Decode a recording, or several that are joined, with random speed and noise."""
        files = value.files if isinstance(value, Joined) else (value,)
        parts = [self._recording(file, resources.limits).samples for file in files]
        draw = variation.generator
        samples = with_speed(_joined(parts, self.config.rate, draw), draw.uniform(*SPEEDS))
        self._check_steps(samples, resources)
        return with_noise(samples, draw.uniform(*NOISE), draw)

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Recording:  # noqa: ARG002
        """Decode a file to one channel at the peripheral's sample rate."""
        return decode_audio(data, self.config.rate, limits)

    def pack(self, value: Recording) -> tuple[dict[str, Any], bytes]:
        """Serialise a recording: whether it is truncated, and its samples."""
        return {"truncated": value.truncated}, value.samples.tobytes()

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Recording:  # noqa: ARG002
        """Deserialise the result of ``pack``.

        Raises:
            ValueError: the bytes are no samples; a compromised process may send anything.
        """
        if not data:
            raise ValueError("a recording must have samples")
        return Recording(np.frombuffer(bytearray(data), np.int16), self.config.rate, bool(header["truncated"]))

    def tiny_file(self, form: str) -> bytes:  # noqa: ARG002
        """Return a WAV of a tenth of a second, of another sample rate, so that it is resampled."""
        rate = self.config.rate * 2
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(bytes(2 * (rate // 10)))
        return buffer.getvalue()

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the limit of a recording's duration."""
        return {"audio_seconds": media.audio_seconds}

    def most_bytes(self, media: MediaLimits) -> int:
        """Bytes of the longest recording."""
        return 2 * self.config.rate * (int(media.audio_seconds) + 1)

    def _check_steps(self, samples: np.ndarray, resources: Resources) -> None:
        most = resources.max_steps * self.config.step / self.config.rate
        if len(samples) > most * self.config.rate:
            raise InputError(
                "audio_too_long",
                f"the recording lasts {len(samples) / self.config.rate:.1f} s; the model hears at most {most:.1f} s",
                seconds=round(len(samples) / self.config.rate, 3),
                limit=most,
            )

    def _recording(self, value: Any, limits: MediaLimits) -> Recording:
        if isinstance(value, Recording):
            return value
        if isinstance(value, np.ndarray):
            return Recording(_samples_of(value), self.config.rate)
        return decode_audio(bytes_of(value), self.config.rate, limits)


def with_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Return samples that are played ``speed`` times as fast, by linear interpolation; the pitch changes as well."""
    count = max(1, round(len(samples) / speed))
    places = np.linspace(0, len(samples) - 1, count)
    changed: np.ndarray = np.interp(places, np.arange(len(samples)), samples).astype(np.int16)
    return changed


def with_noise(samples: np.ndarray, decibels: float, generator: random.Random) -> np.ndarray:
    """Return samples with white noise, ``decibels`` quieter than they are in the mean."""
    loudness = float(np.sqrt((samples.astype(np.float64) ** 2).mean())) or QUIET
    noise = np.random.default_rng(generator.getrandbits(63)).standard_normal(len(samples))
    noisy = samples + noise * loudness * 10 ** (-decibels / 20)
    return noisy.clip(-LOUDEST, LOUDEST - 1).astype(np.int16)


def _joined(parts: Sequence[np.ndarray], rate: int, generator: random.Random) -> np.ndarray:
    if not parts:
        return np.zeros(round(rate * generator.uniform(*ALONE)), np.int16)
    if len(parts) == 1:
        return parts[0]
    gaps = [np.zeros(round(rate * generator.uniform(*GAPS)), np.int16) for _ in parts]
    return np.concatenate([piece for pair in zip(parts, gaps, strict=True) for piece in pair])


def _samples_of(array: np.ndarray) -> np.ndarray:
    """Return samples as int16.

    Raises:
        InputError: ``bad_array``.
    """
    if array.ndim != 1 or not array.size or array.dtype not in (np.int16, np.float32, np.float64):
        raise InputError(
            "bad_array",
            f"an audio array must be int16, or floats in [-1, 1], of shape (samples,), not {array.dtype} {array.shape}",
        )
    if array.dtype == np.int16:
        return array
    if not np.isfinite(array).all():
        raise InputError("bad_array", "an audio array must be finite")
    return (array * LOUDEST).clip(-LOUDEST, LOUDEST - 1).astype(np.int16)
