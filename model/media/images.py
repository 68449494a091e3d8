"""Decode image files to RGB."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# Exceptions that Pillow's decoders raise on damaged files.
DECODE_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError, MemoryError, struct.error)
MOST_SCANS = 100  # scans of a JPEG; real files have about ten
# EXIF orientation -> transposition that makes the picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: RGB, uint8, (3, height, width).
        truncated: True if the file ended early; the missing part is grey.
        fitted: True if the picture already has the square size of the backbone.
    """

    pixels: np.ndarray
    truncated: bool = False
    fitted: bool = False


def decode_image(data: bytes, limits: MediaLimits | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP, GIF (first frame) or BMP to RGB.

    EXIF orientation is applied, transparent pixels are blended with white, and all colour modes are converted.

    Raises:
        InputError: ``empty_file``, ``not_an_image``, ``unsupported_image``, ``image_too_large``,
            ``media_too_expensive`` or ``corrupt_image``.
    """
    limits = limits or MediaLimits()
    if not data:
        raise InputError("empty_file", "the image file is empty; send a JPEG, PNG, WebP, GIF or BMP")
    image = _open_image(data)
    pixels = image.width * image.height
    if pixels > limits.image_pixels:
        raise InputError(
            "image_too_large",
            f"the image has {image.width} x {image.height} pixels; at most {limits.image_pixels} are accepted",
            width=image.width,
            height=image.height,
            limit=limits.image_pixels,
        )
    # Each scan is a pass over all pixels: a small file with many scans may take minutes.
    if "progressive" in image.info and (scans := data.count(b"\xff\xda")) > MOST_SCANS:
        raise InputError(
            "media_too_expensive",
            f"the JPEG has {scans} scans; at most {MOST_SCANS} are accepted",
            scans=scans,
            limit=MOST_SCANS,
        )
    image, truncated = _load_pixels(image, data)
    return Picture(image_to_array(image), truncated)


def image_to_array(image: Image.Image) -> np.ndarray:
    """Convert a PIL image of any mode to RGB, uint8 (3, height, width); EXIF orientation is applied."""
    image = _upright(image)
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        image = _eight_bits(image)
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def _open_image(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Pillow warns above 89 megapixels; decode_image checks its own limit next.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=IMAGE_FORMATS)
    except UnidentifiedImageError:
        raise InputError(
            "not_an_image", "the file is not a readable image; send a JPEG, PNG, WebP, GIF or BMP"
        ) from None
    except Image.DecompressionBombError as error:
        raise InputError("image_too_large", f"the image has too many pixels: {error}") from error
    except DECODE_ERRORS as error:
        raise _corrupt() from error


def _load_pixels(image: Image.Image, data: bytes) -> tuple[Image.Image, bool]:
    """Decode the pixels; return the image, and True if the file was truncated.

    Raises:
        InputError: ``corrupt_image``.
    """
    try:
        image.load()
        return image, False
    except DECODE_ERRORS as error:
        if image.format != "JPEG":
            raise _corrupt() from error
    try:
        # With an end marker, the decoder returns the part of a truncated JPEG that is there.
        image = _open_image(data + b"\xff\xd9")
        image.load()
    except DECODE_ERRORS as error:
        raise _corrupt() from error
    return image, True


def _corrupt() -> InputError:
    return InputError("corrupt_image", "the image is damaged: its pixels cannot be decoded; send an intact file")


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; Pillow's exif_transpose rewrites all metadata and fails if a tag is damaged."""
    turn = None
    with suppress(*DECODE_ERRORS):
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale a 16-bit or float image to 8 bits; Pillow's own conversion clips instead."""
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if values.max(initial=0.0) > 255 else 255.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))
