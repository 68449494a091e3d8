"""Recordings of all formats, and files that are none."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import InputContainer

from omninet.model.errors import InputError
from omninet.model.media.audio import SoundDecoder, decode_audio
from omninet.model.media.containers import audio_stream, open_audio
from omninet.model.media.limits import MediaLimits
from tests.cases import case
from tests.sounds import encoded, tone, wav

RATE = 8000
FORMATS = [
    ("wav", "pcm_s16le", 44_100, "stereo"),
    ("wav", "pcm_f32le", 22_050, "mono"),
    ("flac", "flac", 44_100, "mono"),
    ("ogg", "libopus", 48_000, "mono"),
    ("ogg", "libopus", 48_000, "stereo"),
    ("mp3", "libmp3lame", 44_100, "stereo"),
    ("mp4", "aac", 48_000, "mono"),
    ("webm", "libopus", 48_000, "mono"),
    ("adts", "aac", 16_000, "mono"),
    ("wav", "pcm_s16le", 48_000, "5.1"),
]


def pitch_of(samples: np.ndarray) -> float:
    """Return the loudest frequency of samples of RATE, in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


@pytest.mark.parametrize(("container", "codec", "rate", "layout"), FORMATS)
def test_a_tone_of_any_format_keeps_its_pitch_and_length(container: str, codec: str, rate: int, layout: str) -> None:
    found = decode_audio(encoded(tone(1, rate), rate, container, codec, layout), RATE)

    assert found.seconds == pytest.approx(1, abs=0.1)
    assert pitch_of(found.samples) == pytest.approx(440, abs=3)
    assert np.abs(found.samples).max() == pytest.approx(0.3 * 2**15, rel=0.25)
    assert not found.truncated


def test_the_sound_of_a_video() -> None:
    found = decode_audio(encoded(tone(1, 44_100), 44_100, "mp4", "aac", video=True), RATE)

    assert pitch_of(found.samples) == pytest.approx(440, abs=3)


def test_a_recording_keeps_its_samples_at_the_same_rate() -> None:
    samples = tone(0.3, RATE)

    np.testing.assert_array_equal(decode_audio(wav(samples, RATE), RATE).samples, samples)


@pytest.mark.parametrize("channels", [2, 6, 9, 33])
def test_channels_are_averaged(channels: int) -> None:
    left = tone(0.3, RATE)
    others = [np.zeros_like(left)] * (channels - 1)

    found = decode_audio(wav(np.stack([left, *others], 1), RATE), RATE)

    np.testing.assert_allclose(found.samples, left / channels, atol=2)


def test_more_channels_than_recorders_have() -> None:
    with pytest.raises(InputError, match="65 channels; 1 to 64 are accepted") as caught:
        decode_audio(wav(np.zeros((800, 65), np.int16), RATE), RATE)

    assert caught.value.code == "corrupt_audio"


@pytest.mark.parametrize("container", ["wav", "ogg", "flac", "webm", "mp4"])
def test_a_file_that_is_cut_short(container: str) -> None:
    codecs = {"wav": "pcm_s16le", "ogg": "libopus", "flac": "flac", "webm": "libopus", "mp4": "aac"}
    noisy = (tone(4, 48_000) + 1000 * np.random.default_rng(0).standard_normal(4 * 48_000)).astype(np.int16)
    data = encoded(noisy, 48_000, container, codecs[container])

    if container == "mp4":  # its index is at the end
        with pytest.raises(InputError) as caught:
            decode_audio(data[: len(data) // 2], RATE)
        assert caught.value.code == "not_audio"
        return
    found = decode_audio(data[: len(data) // 2], RATE)

    assert 0.9 < found.seconds < 3
    assert found.truncated or container == "ogg"  # no header of Ogg says how long it is


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"no recording" * 100, "not_audio"),
        (wav(np.zeros(0, np.int16), RATE), "corrupt_audio"),
        (case("editlist_start.mp4"), "no_audio_stream"),
        (case("upright.jpg"), "not_audio"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not_audio"),
    ],
)
def test_a_file_that_is_no_recording(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_audio(data, RATE)

    assert caught.value.code == code


def test_a_recording_that_is_too_long() -> None:
    limits = MediaLimits(audio_seconds=2)
    stated = wav(tone(3, RATE), RATE)
    unstated = encoded(tone(60, 44_100), 44_100, "mp3", "libmp3lame")

    for data in (stated, unstated):
        with pytest.raises(InputError, match="at most 2 s are accepted") as caught:
            decode_audio(data, RATE, limits)
        assert caught.value.code == "audio_too_long"
        assert caught.value.detail["limit"] == 2
    assert decode_audio(wav(tone(2, RATE), RATE), RATE, limits).seconds == 2


def test_a_sample_rate_that_no_recorder_has() -> None:
    data = bytearray(wav(tone(1, RATE), RATE))
    struct.pack_into("<I", data, 24, 100)

    with pytest.raises(InputError, match="100 samples a second; 4000 to 384000 are accepted") as caught:
        decode_audio(bytes(data), RATE)
    assert caught.value.code == "corrupt_audio"


class Broken:
    """A container whose demuxer fails after its first packets, as PyAV's does where a stream begins in the middle."""

    def __init__(self, container: InputContainer) -> None:
        self._container = container

    def demux(self, stream: AudioStream) -> Iterator[Any]:
        """Yield two packets, then fail."""
        yield from islice(self._container.demux(stream), 2)
        raise IndexError("list index out of range")


def test_a_demuxer_that_fails_leaves_what_was_read() -> None:
    with open_audio(wav(tone(2, RATE), RATE)) as container:
        decoder = SoundDecoder(cast(InputContainer, Broken(container)), audio_stream(container), RATE, 10 * RATE)
        samples = decoder.samples()

    assert decoder.damaged
    assert 0 < len(samples) < 2 * RATE
