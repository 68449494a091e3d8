"""Convert the colours of images to sRGB, as their ICC profiles or the gamma of a PNG say."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from PIL import Image, ImageCms

from omninet.model.media.colour import BT709, CHROMATICITIES, Chromaticities, to_xyz

MOST_BYTES = 4 * 2**20  # of a profile; those of presses have up to 3 MB
SPACES = {"RGB": ("RGB", "RGB"), "GRAY": ("L", "RGB"), "CMYK": ("CMYK", "RGB")}  # modes before and after, by space
COLOUR_MODES = {"RGB": {"RGB", "RGBA", "RGBX", "P", "PA"}, "GRAY": {"1", "L", "LA", "I", "F"}, "CMYK": {"CMYK"}}
SMALLEST_CHANGE = 2  # levels; a profile that changes no colour by more is sRGB, rounded
NODES = 17  # of a grid of colours, along each channel
DISPLAY_GAMMA, SRGB_GAMMAS = 2.2, (0.95, 1.05)  # products of a PNG's gamma with that of displays that count as sRGB
GAMMAS = (0.05, 20.0)  # smallest and largest gamma of a PNG that is applied
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])  # white of the ICC's profile connection space
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # parameters of a curve of type 3 in ICC.1


class Profile:
    """A conversion to sRGB.

    Attributes:
        mode: mode of the images that it takes: RGB, L or CMYK.
    """

    def __init__(self, profile: bytes, space: str) -> None:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        self.mode, target = SPACES[space]
        self._transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), self.mode, target)

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """Convert an image of the profile's mode to sRGB."""
        converted = ImageCms.applyTransform(image, self._transform)
        assert converted is not None
        return converted

    def is_srgb(self) -> bool:
        """Return True if the conversion changes no colour visibly."""
        if self.mode == "CMYK":
            return False
        if self.mode == "L":
            grid = np.arange(256, dtype=np.uint8)[None]
        else:
            levels = np.linspace(0, 255, NODES).round().astype(np.uint8)
            grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(NODES, -1, 3)
        before = Image.fromarray(grid)
        after = np.asarray(self.to_srgb(before)).astype(int)
        return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= SMALLEST_CHANGE)


def profile_of(image: Image.Image) -> Profile | None:
    """Return the conversion of an image's colours, or None if they are sRGB, unknown or described by a damaged profile.

    Pictures with a damaged, costly or unsuitable profile are shown as they are, as by browsers.
    """
    data = image.info.get("icc_profile") or _png_profile(image)
    if not data or len(data) > MOST_BYTES or b"mpet" in data:  # chains of elements may take any time for each pixel
        return None
    space = data[16:20].decode("latin-1").strip()
    mode = "I" if image.mode.startswith("I;16") else image.mode
    if mode not in COLOUR_MODES.get(space, ()):
        return None
    try:
        profile = Profile(data, space)
        return None if profile.is_srgb() else profile
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, MemoryError):
        return None


def _png_profile(image: Image.Image) -> bytes | None:
    """Return a profile for the chunks gAMA and cHRM of a PNG, or None if it has none or they say sRGB."""
    gamma, chromaticity = image.info.get("gamma"), image.info.get("chromaticity")
    if image.format != "PNG" or "srgb" in image.info or not gamma or not GAMMAS[0] <= gamma <= GAMMAS[1]:
        return None
    usual = SRGB_GAMMAS[0] <= gamma * DISPLAY_GAMMA <= SRGB_GAMMAS[1]
    primaries = CHROMATICITIES[BT709]
    if chromaticity and len(chromaticity) == 8:
        white, red, green, blue = (tuple(chromaticity[i : i + 2]) for i in range(0, 8, 2))
        primaries = red, green, blue, white
    if usual and np.allclose(primaries, CHROMATICITIES[BT709], atol=0.002):
        return None
    curve = SRGB_CURVE if usual else (1 / gamma,)
    with np.errstate(all="ignore"):
        return _icc(primaries, curve, grey=image.mode in COLOUR_MODES["GRAY"] or image.mode.startswith("I;16"))


def _icc(primaries: Chromaticities, curve: Sequence[float], grey: bool) -> bytes | None:
    """Return an ICC profile (version 4) of primaries and a curve; None if the primaries are impossible."""
    try:
        matrix = to_xyz(primaries)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    white = matrix.sum(1)
    adapted = np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D50 / (BRADFORD @ white)) @ BRADFORD @ matrix
    if not (np.isfinite(adapted).all() and np.abs(adapted).max() < 100):
        return None
    tone = struct.pack(">4sIHH", b"para", 0, 3 if len(curve) > 1 else 0, 0) + _fixed(curve)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(D50)}
    if grey:
        tags[b"kTRC"] = tone
    else:
        for name, column in zip((b"r", b"g", b"b"), adapted.T, strict=True):
            tags |= {name + b"XYZ": b"XYZ \0\0\0\0" + _fixed(column), name + b"TRC": tone}
    sizes = [len(tag) for tag in tags.values()]
    starts = list(accumulate(sizes, initial=128 + 4 + 12 * len(tags)))
    table = b"".join(struct.pack(">4sII", *entry) for entry in zip(tags, starts, sizes, strict=False))
    header = struct.pack(">I4sI4s4s4s", starts[-1], b"", 0x04000000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ ")
    header += struct.pack(">12x4s28x", b"acsp") + _fixed(D50) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + b"".join(tags.values())


def _fixed(values: Sequence[float] | np.ndarray) -> bytes:
    """Return numbers as 32-bit fixed-point numbers."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)
