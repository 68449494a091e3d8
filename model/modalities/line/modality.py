"""Line modality: decoding and scaling of pictures of one line of text."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.base import Form, Modality, Ready, Resources
from omninet.model.modalities.layout import Layout
from omninet.model.modalities.line.config import LineConfig
from omninet.model.modalities.pictures import picture_of
from omninet.model.modalities.vision.config import Framed
from omninet.model.modalities.vision.modality import CUT_IMAGE, VisionModality
from omninet.model.modalities.vision.resize import resize

if TYPE_CHECKING:
    from omninet.model.modalities.line.peripheral import LinePeripheral

COLUMNS_OF_A_WINDOW = 2  # about half a letter
WORDS = ("Exit", "SALE 50%", "Café", "B-217", "open", "Taxi")


class LineModality(Modality):
    """Pictures of one word or line of any size, scaled to uint8 (3, height, width)."""

    Config = LineConfig
    config: LineConfig
    forms: ClassVar[Mapping[str, Form]] = {"image": VisionModality.forms["image"]}
    has_cells = True

    @staticmethod
    def peripheral() -> type[LinePeripheral]:
        """Import and return LinePeripheral."""
        from omninet.model.modalities.line.peripheral import LinePeripheral

        return LinePeripheral

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:
        """Return ``image``; if a task has several lines, each is named by its role."""
        return {"image" if alone else role: "image"}

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:  # noqa: ARG002
        """Decode a picture and scale it.

        Args:
            value: a file's bytes or path, a PIL image, a Picture, or pixels, uint8 (height, width, 3).
        """
        picture = picture_of(value, resources.limits)
        (width, height), notes = picture.full_size, (CUT_IMAGE,) if picture.truncated else ()
        return Ready(self._scaled(picture.pixels), notes=notes, aspect=width / height, size=picture.full_size)

    def sample(self, number: int) -> Image.Image:
        """Return a picture of a word."""
        image = Image.new("RGB", (self.config.width, self.config.height), (230, 225, 210))
        font = ImageFont.load_default(self.config.height // 2)
        ImageDraw.Draw(image).text((8, 4), WORDS[number % len(WORDS)], (20, 20, 60), font)
        return image

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Picture:  # noqa: ARG002
        """Decode a file and scale it."""
        picture = decode_image(data, limits)
        return Picture(self._scaled(picture.pixels), picture.truncated, True, size=picture.full_size)

    def pack(self, value: Picture) -> tuple[dict[str, Any], bytes]:
        """Serialise a decoded picture: whether it is truncated, and its pixels."""
        return {"truncated": value.truncated}, value.pixels.tobytes()

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Picture:  # noqa: ARG002
        """Deserialise the result of ``pack``."""
        pixels = np.frombuffer(bytearray(data), np.uint8).reshape(3, self.config.height, self.config.width)
        return Picture(pixels, bool(header["truncated"]), fitted=True)

    def tiny_file(self, form: str) -> bytes:  # noqa: ARG002
        """Return a GIF that is one pixel wider than the peripheral's input, so that it is scaled."""
        Image.init()  # imports the decoders of all other formats
        buffer = io.BytesIO()
        Image.new("RGB", (self.config.width + 1, self.config.height)).save(buffer, "GIF")
        return buffer.getvalue()

    def layout(self, t: int, s: int) -> Layout:
        """Return the layout of a picture whose columns are time steps."""
        return Layout(1, s, t, (1, t // COLUMNS_OF_A_WINDOW), 1 / t, by_column=True)

    def framed(self, ready: Ready) -> Framed:
        """Return the whole picture."""
        return Framed("squash", 1.0, "middle", ready.aspect, ready.size)

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the limit of image pixels."""
        return {"image_pixels": media.image_pixels}

    def most_bytes(self, media: MediaLimits) -> int:  # noqa: ARG002
        """Bytes of a picture."""
        return 3 * self.config.height * self.config.width

    def _scaled(self, pixels: np.ndarray) -> np.ndarray:
        return resize(pixels, self.config.height, self.config.width)
