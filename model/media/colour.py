"""Convert wide-gamut and HDR colours to sRGB by tables of colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

BT709, BT2020, DCI_P3, DISPLAY_P3 = 1, 9, 11, 12  # primaries, as numbered in ITU-T H.273
PQ, HLG = 16, 18  # transfer characteristics, as numbered in ITU-T H.273
Chromaticities = Sequence[Sequence[float]]
# x and y of red, green, blue and white (ITU-R BT.709, BT.2020; SMPTE RP 431-2, EG 432-1)
CHROMATICITIES = {
    BT709: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0.329)),
    BT2020: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329)),
    DCI_P3: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    DISPLAY_P3: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329)),
}
NODES = 65  # of the table along each channel
WHITE_NITS = 203  # luminance of HDR reference white (ITU-R BT.2408)
WHITE_HLG = 0.75  # HLG signal of HDR reference white (ITU-R BT.2408)
KNEE = 0.9  # linear light above which highlights are compressed; 1 is white


class Coding(NamedTuple):
    """How the numbers of a picture mean colours.

    Attributes:
        primaries, transfer: numbers of ITU-T H.273.
    """

    primaries: int
    transfer: int

    @property
    def is_hdr(self) -> bool:
        """True if colours may be brighter than white."""
        return self.transfer in {PQ, HLG}

    @property
    def is_srgb(self) -> bool:
        """True if the picture can be shown as it is."""
        return not self.is_hdr and self.primaries not in {BT2020, DCI_P3, DISPLAY_P3}


def to_srgb(pixels: np.ndarray, coding: Coding) -> np.ndarray:
    """Convert RGB, uint8 (height, width, 3), to sRGB; highlights of HDR are compressed to white."""
    if coding.is_srgb:
        return pixels
    return np.asarray(Image.fromarray(pixels).filter(_table(coding)))


@lru_cache(8)
def _table(coding: Coding) -> ImageFilter.Color3DLUT:
    """Return the sRGB colours of a grid of coded colours."""
    values = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(values, values, values, indexing="ij")
    coded = np.stack([red, green, blue], -1)
    known = CHROMATICITIES.get(coding.primaries)
    primaries = CHROMATICITIES[BT2020 if coding.is_hdr else BT709] if known is None else known
    light = _linear(coded, coding.transfer) @ _between(primaries, CHROMATICITIES[BT709]).T
    if coding.is_hdr:
        light = _compressed(light)
    table = _srgb(np.clip(light, 0, 1)).astype(np.float32)
    return ImageFilter.Color3DLUT(NODES, table.ravel())


def _linear(coded: np.ndarray, transfer: int) -> np.ndarray:
    """Return linear light, white as 1."""
    if transfer == PQ:  # SMPTE ST 2084
        power = np.power(coded, 1 / 78.84375)
        light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        return np.asarray(10_000 / WHITE_NITS * np.power(light, 1 / 0.1593017578125))
    if transfer == HLG:
        return np.asarray(_scene(coded) / _scene(np.array(WHITE_HLG)))
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def _scene(coded: np.ndarray) -> np.ndarray:
    """Return the light of the scene that an HLG signal stands for (ARIB STD-B67)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)


def _compressed(light: np.ndarray) -> np.ndarray:
    """Bend each channel above the knee so that none is brighter than white; bright colours become paler, as on film."""
    excess = np.maximum(light - KNEE, 0) / (1 - KNEE)
    return np.asarray(np.minimum(light, KNEE) + (1 - KNEE) * excess / (1 + excess))


def _srgb(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _between(source: Chromaticities, target: Chromaticities) -> np.ndarray:
    """Return the matrix (3, 3) that converts linear light between two sets of primaries."""
    return np.asarray(np.linalg.inv(to_xyz(target)) @ to_xyz(source))


def to_xyz(chromaticities: Chromaticities) -> np.ndarray:
    """Return the matrix (3, 3) from linear RGB to CIE XYZ, with white as 1."""
    *primaries, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in chromaticities)
    columns = np.stack(primaries, -1)
    return np.asarray(columns * np.linalg.solve(columns, white))
