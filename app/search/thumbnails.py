"""Small pictures that an index keeps."""

from __future__ import annotations

import io

from PIL import Image

from omninet.model.media.images import Picture

SIDE = 256  # pixels of the longer side
QUALITY = 80


def thumbnail_of(picture: Picture) -> bytes:
    """Return a small JPEG file of a picture, in its own proportions if it was squashed to a square."""
    image = Image.fromarray(picture.pixels.transpose(1, 2, 0))
    if picture.fitted:
        side = min(SIDE, max(picture.full_size))
        width, height = min(1.0, picture.aspect), min(1.0, 1 / picture.aspect)
        image = image.resize((max(1, round(side * width)), max(1, round(side * height))), Image.Resampling.BICUBIC)
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
