"""Convert the pixels of images of all modes to upright RGB, a band of rows at a time to bound memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from PIL import ExifTags, Image

from omninet.model.media.errors import DECODE_ERRORS
from omninet.model.media.profiles import Profile, profile_of

BAND_PIXELS = 2**22
Transpose = Image.Transpose
# EXIF orientation -> transposition that makes the picture upright.
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
TO_COLUMNS = {Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90}
TO_THE_END = {Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.ROTATE_270, Transpose.TRANSVERSE}


def image_to_array(image: Image.Image, shrink: int = 1) -> np.ndarray:
    """Convert a PIL image of any mode to sRGB, uint8 (3, height, width).

    EXIF orientation is applied, colours are converted as the profile says, and transparency is blended with white.

    Args:
        shrink: average over squares of so many pixels a side.
    """
    turn, to_rgb = _turn(image), _converter(image)
    width, height = -(-image.width // shrink), -(-image.height // shrink)
    columns, reverse = turn in TO_COLUMNS, turn in TO_THE_END
    pixels = np.empty((3, width, height) if columns else (3, height, width), np.uint8)
    rows = max(1, BAND_PIXELS // (image.width * shrink)) * shrink
    for top in range(0, image.height, rows):
        whole = rows >= image.height
        band = to_rgb(image if whole else image.crop((0, top, image.width, min(top + rows, image.height))))
        band = band.reduce(shrink) if shrink > 1 else band
        start = top // shrink
        end = start + band.height
        place = slice(height - end, height - start) if reverse else slice(start, end)
        upright = np.asarray(band if turn is None else band.transpose(turn)).transpose(2, 0, 1)
        pixels[(slice(None), slice(None), place) if columns else (slice(None), place)] = upright
    return pixels


def is_turned(image: Image.Image) -> bool:
    """Return True if the EXIF orientation exchanges width and height."""
    return _turn(image) in TO_COLUMNS


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what makes the picture upright; Pillow's exif_transpose fails if other metadata are damaged."""
    with suppress(*DECODE_ERRORS):
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        # Browsers read whole numbers alone: bytes, which some tools write, leave the picture as it is.
        return UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return None


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts bands of an image to RGB."""
    profile = profile_of(image)
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        top, transparent = _top(image), image.info.get("transparency")
        return lambda band: _coloured(_eight_bits(band, top, transparent), profile)
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        # Without any opaque pixel the fourth byte is no transparency but filling.
        return lambda band: _coloured(band.convert("RGB"), profile)
    if image.has_transparency_data:
        return lambda band: _blended(band, profile)
    return lambda band: _coloured(band, profile)


def _coloured(band: Image.Image, profile: Profile | None) -> Image.Image:
    if profile is None:
        return band.convert("RGB")
    return profile.to_srgb(band.convert(profile.mode))


def _blended(band: Image.Image, profile: Profile | None) -> Image.Image:
    """Blend with white."""
    layer = band.convert("RGBA")
    if profile is not None:
        opaque = _coloured(layer, profile).convert("RGBA")
        opaque.putalpha(layer.getchannel("A"))
        layer = opaque
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _top(image: Image.Image) -> float:
    """Return the value of white of an image of 16-bit, 32-bit or floating-point numbers, which does not say it."""
    _, largest = image.getextrema()
    assert isinstance(largest, int | float)
    if largest > 255:
        return 65535.0
    return 1.0 if image.mode == "F" and largest <= 1 else 255.0


def _eight_bits(band: Image.Image, top: float, transparent: int | None) -> Image.Image:
    """Scale a band to 8 bits; Pillow's own conversion clips instead. The transparent value becomes white."""
    values = np.asarray(band)
    scaled = np.nan_to_num(np.clip(values * (255.0 / top), 0, 255)).astype(np.uint8)
    if isinstance(transparent, int):
        scaled[values == transparent] = 255
    return Image.fromarray(scaled)
