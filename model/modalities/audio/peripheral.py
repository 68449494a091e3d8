"""Audio peripheral: log-mel spectra and two strided convolutions, one time step for every four spectra."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.modalities.audio.config import STRIDE, AudioConfig
from omninet.model.modalities.audio.filters import LogMel
from omninet.model.modalities.peripheral import Peripheral, Steps
from omninet.model.modalities.residual import ResidualConvolution

SCALE = 2.0**15  # of 16-bit samples
LEAST_STD = 1e-2
RANGE = 8 * math.log(10)  # 80 dB; quieter bands count as that much quieter than the loudest of the recording
# SpecAugment (Park et al. 2019): masks in training, their number and largest widths.
MASKS = 2
BAND_SHARE, TIME_SHARE = 0.2, 0.1  # of the bands, and of the spectra


class AudioPeripheral(Peripheral):
    """Encodes recordings: (b, samples) -> (b, t, 1, d)."""

    def __init__(self, config: AudioConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.config = config
        self.spectra = LogMel(config.rate, config.window, config.hop, config.mels)
        self.first = nn.Conv2d(1, config.channels, 3, stride=2, padding=1)
        self.second = nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(config.channels * -(-config.mels // STRIDE), d_model)
        self.blocks = nn.ModuleList(
            ResidualConvolution(config.channels, config.channels, halves=False) for _ in range(config.blocks)
        )

    @staticmethod
    def collate(rows: Sequence[np.ndarray]) -> Steps:
        """Pad recordings, int16 (samples,), to the longest."""
        return Steps(*Peripheral.collate([torch.as_tensor(row) for row in rows]))

    def forward(self, batch: Steps, moves: bool = True) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Encode samples (b, samples) to (b, t, 1, d); return the mask (b, t) as well."""
        lengths = batch.mask.sum(1)
        # Zeros at the end, so that the spectra of a recording do not depend on the others of the batch.
        samples = functional.pad(batch.values.float() / SCALE, (0, self.config.window))
        spectra = self.spectra(samples)[:, : -(-batch.values.shape[1] // self.config.hop)]
        real = _first(-(-lengths // self.config.hop), spectra.shape[1])
        x = standardised(spectra, real)
        if self.training:
            x = masked(x, real.sum(1))
        x = x.to(self.first.weight.dtype)[:, None]
        x = functional.relu(self.first(x))
        x = x * _first(-(-real.sum(1) // 2), x.shape[2])[:, None, :, None]  # as if padding were not there
        x = functional.relu(self.second(x))
        steps = _first(-(-real.sum(1) // STRIDE), x.shape[2])
        for block in self.blocks:
            x = block(x, steps[:, None, :, None])
        x = self.projection(self.dropout(x.transpose(1, 2).flatten(2)))
        return x[:, :, None], steps


def standardised(spectra: Tensor, real: Tensor) -> Tensor:
    """Standardise each band of each recording, so that loudness and microphone matter little; padding becomes 0.

    Args:
        spectra: (b, t, mels).
        real: (b, t), false at padding.
    """
    weights = real[..., None].to(spectra.dtype)
    loudest = spectra.masked_fill(~real[..., None], -math.inf).amax((1, 2), keepdim=True)
    spectra = torch.maximum(spectra, loudest - RANGE)
    count = weights.sum(1, keepdim=True)
    centred = (spectra - (spectra * weights).sum(1, keepdim=True) / count) * weights
    std = ((centred**2).sum(1, keepdim=True) / count).sqrt()
    return centred / (std + LEAST_STD)


def masked(spectra: Tensor, lengths: Tensor) -> Tensor:
    """Mask random bands and times of spectra (b, t, mels) of ``lengths`` (b,)."""
    b, t, mels = spectra.shape
    kept = torch.ones_like(spectra, dtype=torch.bool)
    for _ in range(MASKS):
        bands = _span(spectra.new_full((b,), mels), BAND_SHARE, mels)
        times = _span(lengths.to(spectra.dtype), TIME_SHARE, t)
        kept &= ~(bands[:, None] | times[..., None])
    return spectra * kept


def _span(lengths: Tensor, share: float, size: int) -> Tensor:
    """Return a random span of at most ``share`` of each length, (b, size)."""
    width = torch.rand_like(lengths) * share * lengths
    start = torch.rand_like(lengths) * (lengths - width)
    places = torch.arange(size, device=lengths.device)
    return (places >= start[:, None]) & (places < (start + width).floor()[:, None])


def _first(lengths: Tensor, size: int) -> Tensor:
    """Return a mask (b, size) that is true at the first ``lengths`` (b,) places."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]
