"""Recordings as inputs: decoding, batches and training augmentation."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omninet.model.errors import ConfigError, InputError
from omninet.model.media.audio import Recording
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Resources, Variation
from omninet.model.modalities.audio.config import AudioConfig
from omninet.model.modalities.audio.modality import AudioModality, Joined
from omninet.model.modalities.audio.peripheral import AudioPeripheral
from omninet.model.modalities.language.tokenizer import Tokenizer
from tests.sounds import tone, wav

CONFIG = AudioConfig(rate=8000, mels=20, channels=4)
MODALITY = AudioModality(CONFIG)


def resources(tokenizer: Tokenizer | None = None, seconds: float = 120.0, steps: int = 100) -> Resources:
    return Resources(tokenizer, MediaLimits(audio_seconds=seconds), steps)  # type: ignore[arg-type]


def test_files_and_arrays_of_one_sound_are_equal() -> None:
    samples = tone(0.5, 8000)
    given = [wav(samples, 8000), samples, samples.astype(np.float32) / 2**15, Recording(samples, 8000)]

    found = [MODALITY.prepare("audio", "audio", value, resources()).value for value in given]

    for each in found:
        np.testing.assert_array_equal(each, samples)


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.zeros((2, 100), np.int16), r"int16 \(2, 100\)"),
        (np.zeros(0, np.int16), r"int16 \(0,\)"),
        (np.zeros(100, np.int32), "int32"),
        (np.full(100, np.nan), "finite"),
    ],
)
def test_an_array_that_is_no_recording(array: np.ndarray, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        MODALITY.prepare("audio", "audio", array, resources())

    assert caught.value.code == "bad_array"


def test_a_recording_has_limits() -> None:
    with pytest.raises(InputError, match="at most 2 s are accepted") as of_setting:
        MODALITY.prepare("audio", "audio", tone(3, 8000), resources(seconds=2))
    with pytest.raises(InputError, match="the model hears at most") as of_network:
        MODALITY.prepare("audio", "audio", tone(3, 8000), resources(steps=50))

    assert of_setting.value.code == of_network.value.code == "audio_too_long"
    assert of_setting.value.detail == {"seconds": 3.0, "limit": 2}


def test_a_recording_survives_the_way_between_processes() -> None:
    decoded = MODALITY.decode("audio", MODALITY.tiny_file("audio"), MediaLimits())
    header, data = MODALITY.pack(decoded)

    found = MODALITY.unpack("audio", header, data)

    np.testing.assert_array_equal(found.samples, decoded.samples)
    assert (found.rate, found.truncated) == (8000, False)
    assert len(data) <= MODALITY.most_bytes(MediaLimits())
    with pytest.raises(ValueError, match="must have samples"):
        MODALITY.unpack("audio", header, b"")


@pytest.mark.parametrize("blocks", [0, 2])
def test_a_row_does_not_depend_on_the_others_of_its_batch(blocks: int) -> None:
    torch.manual_seed(0)
    peripheral = AudioPeripheral(replace(CONFIG, blocks=blocks), 16).eval()
    rows = [tone(seconds, 8000, pitch) for seconds, pitch in ((0.31, 300.0), (0.9, 500.0), (0.02, 900.0))]

    together, mask = peripheral(peripheral.collate(rows))

    for row, encoded, real in zip(rows, together, mask, strict=True):
        alone, whole = peripheral(peripheral.collate([row]))
        assert whole.all()
        assert int(real.sum()) == alone.shape[1] == -(-len(row) // CONFIG.step)
        torch.testing.assert_close(encoded[: alone.shape[1]], alone[0])


def test_loudness_does_not_matter() -> None:
    torch.manual_seed(0)
    peripheral = AudioPeripheral(CONFIG, 16).eval()
    generator = np.random.default_rng(0)
    loud = (tone(0.5, 8000) + 2000 * generator.standard_normal(4000)).astype(np.int16)

    found = [peripheral(peripheral.collate([samples]))[0] for samples in (loud, loud // 4)]

    torch.testing.assert_close(found[0], found[1], atol=0.1, rtol=0.05)


def test_training_masks_bands_and_times() -> None:
    torch.manual_seed(0)
    peripheral = AudioPeripheral(CONFIG, 16).train()
    batch = peripheral.collate([tone(0.5, 8000)])

    assert not torch.equal(peripheral(batch)[0], peripheral(batch)[0])


def test_recordings_are_varied_and_joined_in_training(tmp_path: Path) -> None:
    file = tmp_path / "one.wav"
    file.write_bytes(wav(tone(0.5, 8000), 8000))

    one, other = (MODALITY.varied("audio", "audio", file, resources(), Variation(random.Random(i))) for i in (0, 1))
    joined = MODALITY.varied("audio", "audio", Joined((file, file)), resources(), Variation(random.Random(0)))
    noise = MODALITY.varied("audio", "audio", Joined(()), resources(), Variation(random.Random(0)))

    assert len(one) != len(other)
    assert len(joined) > 2 * 4000 / 1.15
    assert len(noise) > 0.2 * 8000
    assert 0 < np.abs(noise.astype(int)).mean() < 300


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"mels": -1}, {"dropout": 1.0}])
def test_a_configuration_that_is_wrong(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AudioConfig(**wrong)  # type: ignore[arg-type]
