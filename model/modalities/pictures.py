"""Pictures in every form in which a user may give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from omninet.model.errors import InputError
from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.pixels import image_to_array
from omninet.model.modalities.files import bytes_of

PictureInput = bytes | Path | str | Image.Image | np.ndarray | Picture


def picture_of(value: PictureInput, limits: MediaLimits, least: int = 0) -> Picture:
    """Return a picture from a file's bytes or path, a PIL image, pixels, uint8 RGB (height, width, 3), or a Picture.

    Args:
        least: pixels of the shorter side of a file that suffice; see ``decode_image``.

    Raises:
        InputError: ``bad_array``, or the file is no picture; see ``decode_image``.
    """
    if isinstance(value, Picture):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3 or not value.size:
            raise InputError(
                "bad_array", f"an image array must be uint8 (height, width, 3), not {value.dtype} {value.shape}"
            )
        return Picture(value.transpose(2, 0, 1))
    if isinstance(value, Image.Image):
        return Picture(image_to_array(value))
    return decode_image(bytes_of(value), limits, least)
