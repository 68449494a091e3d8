"""Decode image files to RGB."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np
from PIL import AvifImagePlugin, Image, JpegImagePlugin, UnidentifiedImageError

from omninet.model.errors import InputError, install_command
from omninet.model.media.errors import DECODE_ERRORS
from omninet.model.media.jpeg import count_scans
from omninet.model.media.limits import MediaLimits
from omninet.model.media.pixels import image_to_array, is_turned

IMAGE_NAMES = "JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF or BMP"
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")
HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
MOST_SCANS = 100  # scans of a JPEG; real files have about ten
FULL_PIXELS = 50_000_000  # pixels above which an image is decoded to a fraction of its size, to bound memory
MOST_SHRINK = 8  # of the JPEG library
FORMATS_IN_STEPS = {"JPEG", "MPO"}  # decoded to a fraction of the size without the whole; MPO is several JPEGs

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # threads take address space, which is limited


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: RGB, uint8, (3, height, width).
        truncated: True if the file ended early; the missing part is grey.
        fitted: True if the picture already has the square size of the backbone.
        aspect: width divided by height of the image, if ``pixels`` have been fitted.
        size: width and height of the image as displayed, in its own pixels; (0, 0) if they are those of ``pixels``.
    """

    pixels: np.ndarray
    truncated: bool = False
    fitted: bool = False
    aspect: float = 1.0
    size: tuple[int, int] = (0, 0)

    @property
    def full_size(self) -> tuple[int, int]:
        """Width and height of the image as displayed."""
        return self.size if self.size[0] else (self.pixels.shape[-1], self.pixels.shape[-2])


def decode_image(data: bytes, limits: MediaLimits | None = None, least: int = 0) -> Picture:
    """Decode a JPEG, PNG, WebP, AVIF, HEIC, TIFF (first page), GIF (first frame) or BMP to sRGB.

    EXIF orientation is applied, transparent pixels are blended with white, and colours are converted from all modes and
    profiles. Images of more than 50 megapixels are decoded to a fraction of their size.

    Args:
        least: pixels of the shorter side that suffice: larger JPEGs are decoded to a half, a quarter or an eighth of
            their size, which takes less time; 0 for all pixels.

    Raises:
        InputError: ``empty_file``, ``not_an_image``, ``unsupported_image``, ``image_too_large``,
            ``media_too_expensive`` or ``corrupt_image``.
    """
    limits = limits or MediaLimits()
    if not data:
        raise InputError("empty_file", f"the image file is empty; send a {IMAGE_NAMES}")
    with warnings.catch_warnings():
        # Pillow warns above 89 megapixels, which have a limit of their own, and of damaged metadata.
        warnings.simplefilter("ignore")
        image = _open_image(data)
        _check_size(image, limits)
        _check_scans(image, data)
        _shorten_transparency(image, data)
        shrink, size, turned = _shrink(image, least), image.size, is_turned(image)
        image, truncated = _load_pixels(image, data, shrink)
        try:
            pixels = image_to_array(image, 1 if image.format in FORMATS_IN_STEPS else shrink)
        except DECODE_ERRORS as error:
            raise _corrupt() from error
    return Picture(pixels, truncated, size=size[::-1] if turned else size)


def _check_size(image: Image.Image, limits: MediaLimits) -> None:
    stepwise = image.format in FORMATS_IN_STEPS and "progressive" not in image.info
    limit = limits.image_pixels if stepwise else min(limits.image_pixels, limits.whole_image_pixels)
    if image.width * image.height > limit:
        raise InputError(
            "image_too_large",
            f"the image has {image.width} x {image.height} pixels; at most {limit} are accepted",
            width=image.width,
            height=image.height,
            limit=limit,
        )


def _check_scans(image: Image.Image, data: bytes) -> None:
    """Reject a JPEG of many scans: each is a pass over all pixels, so that a small file may take minutes."""
    if "progressive" in image.info and (scans := count_scans(data, MOST_SCANS)) > MOST_SCANS:
        raise InputError(
            "media_too_expensive", f"the JPEG has more than {MOST_SCANS} scans", scans=scans, limit=MOST_SCANS
        )


def _shorten_transparency(image: Image.Image, data: bytes) -> None:
    """Take the upper bytes of the transparent colour of a PNG of 16 bits, as Pillow does with the pixels."""
    transparent = image.info.get("transparency")
    if image.format == "PNG" and data[24] == 16 and isinstance(transparent, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in transparent)


def _shrink(image: Image.Image, least: int) -> int:
    """Return the number of pixels, along each side, that become one; see ``decode_image`` for ``least``."""
    shrink = 1
    while image.width * image.height > FULL_PIXELS * shrink**2:
        shrink *= 2
    if least and image.format in FORMATS_IN_STEPS:
        while shrink < MOST_SHRINK and min(image.size) // (2 * shrink) >= least:
            shrink *= 2
    return shrink


def _open_image(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except UnidentifiedImageError:
        if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS and "HEIF" not in _formats():
            raise InputError(
                "unsupported_image",
                f"this server does not read HEIC images; send a JPEG, or on the server {install_command('heic')}",
            ) from None
        raise InputError("not_an_image", f"the file is not a readable image; send a {IMAGE_NAMES}") from None
    except Image.DecompressionBombError as error:
        if data.startswith(b"\xff\xd8"):  # Pillow's limit is below that of JPEGs here
            return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        raise InputError("image_too_large", f"the image has too many pixels: {error}") from error
    except DECODE_ERRORS as error:
        raise _corrupt() from error


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that Pillow may open, with HEIC if its library is installed."""
    with suppress(ImportError):
        heif = import_module("pillow_heif")
        heif.options.DECODE_THREADS = 1  # threads take address space, which is limited
        heif.register_heif_opener()
        return *IMAGE_FORMATS, "HEIF"
    return IMAGE_FORMATS


def _load_pixels(image: Image.Image, data: bytes, shrink: int) -> tuple[Image.Image, bool]:
    """Decode the pixels; return the image, and True if the file was truncated.

    Raises:
        InputError: ``corrupt_image``.
    """
    try:
        _load(image, shrink)
        return image, False
    except DECODE_ERRORS as error:
        if image.format not in FORMATS_IN_STEPS:
            raise _corrupt() from error
    try:
        # With an end marker, the decoder returns the part of a truncated JPEG that is there.
        image = _open_image(data + b"\xff\xd9")
        _load(image, shrink)
    except DECODE_ERRORS as error:
        raise _corrupt() from error
    return image, True


def _load(image: Image.Image, shrink: int) -> None:
    if shrink > 1 and image.format in FORMATS_IN_STEPS:
        image.draft(None, (image.width // shrink, image.height // shrink))
    image.load()


def _corrupt() -> InputError:
    return InputError("corrupt_image", "the image is damaged: its pixels cannot be decoded; send an intact file")
