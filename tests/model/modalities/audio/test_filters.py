"""Log-mel spectra against numbers of librosa; librosa.json says by which command they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from omninet.model.modalities.audio.filters import LogMel, mel_filters

LIBROSA = json.loads((Path(__file__).parent / "librosa.json").read_text())
RATE = 8000


def tones() -> torch.Tensor:
    """Return half a second of a rising and a steady tone, rounded to 16 bits, (1, samples)."""
    times = np.arange(RATE // 2) / RATE
    samples = 0.4 * np.sin(2 * np.pi * (300 + 900 * times) * times) + 0.1 * np.sin(2 * np.pi * 2500 * times)
    return torch.from_numpy(np.round(samples * 32767) / 32768)[None].float()


def test_spectra_are_those_of_librosa() -> None:
    (found,) = LogMel(RATE, window=200, hop=80, mels=40)(tones())

    assert len(found) == LIBROSA["count"]
    for frame, wanted in LIBROSA["frames"].items():
        assert found[int(frame)].tolist() == pytest.approx(wanted, abs=2e-3)


def test_filters_are_those_of_librosa() -> None:
    assert mel_filters(16_000, 400, 80).sum(1).tolist() == pytest.approx(LIBROSA["filter_sums"], abs=1e-5)
