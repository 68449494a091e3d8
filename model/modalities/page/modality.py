"""Page modality: decoding of pictures in which words are sought, at a size at which words can be read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.base import Form, Modality, Ready, Resources
from omninet.model.modalities.page.config import PageConfig
from omninet.model.modalities.page.tiles import Tile, tiles_of
from omninet.model.modalities.pictures import picture_of
from omninet.model.modalities.vision.modality import CUT_IMAGE, VisionModality
from omninet.model.modalities.vision.resize import resize

if TYPE_CHECKING:
    from omninet.model.modalities.page.peripheral import PagePeripheral

SIGNS = ("Exit", "SALE 50%", "Open 9-18", "B-217", "Taxi")


class PageModality(Modality):
    """Pictures of any size, seen in tiles of uint8 (3, height, width)."""

    Config = PageConfig
    config: PageConfig
    forms: ClassVar[Mapping[str, Form]] = {"image": VisionModality.forms["image"]}

    @staticmethod
    def peripheral() -> type[PagePeripheral]:
        """Import and return PagePeripheral."""
        from omninet.model.modalities.page.peripheral import PagePeripheral

        return PagePeripheral

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:
        """Return ``image``; if a task has several pages, each is named by its role."""
        return {"image" if alone else role: "image"}

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:  # noqa: ARG002
        """Decode a picture and return one tile with the whole of it.

        Args:
            value: see ``picture_of``.
        """
        picture = self.picture(value, resources.limits)
        (tile, *_) = tiles_of(picture.pixels, self.config)
        return Ready(tile.pixels, notes=notes_of(picture), size=picture.full_size)

    def picture(self, value: Any, limits: MediaLimits) -> Picture:
        """Decode a picture and scale it to at most ``PageConfig.most`` pixels a side; see ``picture_of``."""
        return self._scaled(picture_of(value, limits))

    def tiles(self, picture: Picture) -> list[Tile]:
        """Return tiles that cover a picture."""
        return tiles_of(picture.pixels, self.config)

    def sample(self, number: int) -> Image.Image:
        """Return a picture of a sign."""
        image = Image.new("RGB", (self.config.width, self.config.height), (200, 205, 190))
        font = ImageFont.load_default(self.config.height // 8)
        ImageDraw.Draw(image).text((40 + 8 * (number % 8), 60), SIGNS[number % len(SIGNS)], (20, 20, 60), font)
        return image

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Picture:  # noqa: ARG002
        """Decode a file and scale it."""
        return self._scaled(decode_image(data, limits))

    def pack(self, value: Picture) -> tuple[dict[str, Any], bytes]:
        """Serialise a decoded picture: whether it is truncated, its sizes and its pixels."""
        about = {"truncated": value.truncated, "size": value.full_size, "shape": value.pixels.shape[1:]}
        return about, value.pixels.tobytes()

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Picture:  # noqa: ARG002
        """Deserialise the result of ``pack``.

        Raises:
            ValueError: the sizes are no sizes; a compromised process may send anything.
        """
        high, wide = (int(side) for side in header["shape"])
        width, height = (int(side) for side in header["size"])
        if not (0 < high <= self.config.most and 0 < wide <= self.config.most and width > 0 and height > 0):
            raise ValueError(f"a picture of {wide} x {high} pixels, of {width} x {height}, is impossible")
        pixels = np.frombuffer(bytearray(data), np.uint8).reshape(3, high, wide)
        return Picture(pixels, bool(header["truncated"]), size=(width, height))

    def tiny_file(self, form: str) -> bytes:  # noqa: ARG002
        """Return a GIF that is one pixel wider than the largest picture, so that it is scaled."""
        Image.init()  # imports the decoders of all other formats
        buffer = io.BytesIO()
        Image.new("RGB", (self.config.most + 1, 8)).save(buffer, "GIF")
        return buffer.getvalue()

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the limit of image pixels."""
        return {"image_pixels": media.image_pixels}

    def most_bytes(self, media: MediaLimits) -> int:  # noqa: ARG002
        """Bytes of the largest picture."""
        return 3 * self.config.most**2

    def _scaled(self, picture: Picture) -> Picture:
        high, wide = picture.pixels.shape[1:]
        if max(high, wide) <= self.config.most:
            return picture
        scale = self.config.most / max(high, wide)
        pixels = resize(picture.pixels, max(1, round(scale * high)), max(1, round(scale * wide)))
        return Picture(pixels, picture.truncated, size=picture.full_size)


def notes_of(picture: Picture) -> tuple[str, ...]:
    """Return the remarks about a picture for the user."""
    return (CUT_IMAGE,) if picture.truncated else ()
