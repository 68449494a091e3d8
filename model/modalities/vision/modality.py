"""Vision modality: decoding and preprocessing of images and videos."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.videos import Clip, decode_video
from omninet.model.modalities.base import Form, Modality, Pair, Ready, Resources
from omninet.model.modalities.files import bytes_of
from omninet.model.modalities.pictures import picture_of
from omninet.model.modalities.vision.config import Framed, VisionConfig
from omninet.model.modalities.vision.fit import fit

if TYPE_CHECKING:
    from omninet.model.modalities.vision.peripheral import VisionPeripheral

VideoInput = Clip | bytes | str | Path
CUT_IMAGE = "the image is cut short: its missing part is grey"
CUT_VIDEO = "the video is damaged or cut short: only its readable part was used"


class VisionModality(Modality):
    """Images and videos of any size, preprocessed to frames (t, 3, size, size), uint8."""

    Config = VisionConfig
    config: VisionConfig
    forms: ClassVar[Mapping[str, Form]] = {
        "image": Form(
            bytes,
            "JPEG, PNG, WebP, AVIF, HEIC (with the extra heic), TIFF (its first page), GIF (its first frame) or BMP.",
            upload=True,
            accept="image/jpeg,image/png,image/webp,image/avif,image/heic,image/heif,image/tiff,image/gif,image/bmp"
            ",.avif,.heic,.heif,.tif,.tiff",
        ),
        "video": Form(
            bytes, "mp4, webm, mkv, avi, mov, mpeg-ts or gif.", upload=True, accept="video/*,image/gif,.mkv,.ts"
        ),
    }
    has_backbone = True
    has_cells = True

    @staticmethod
    def peripheral() -> type[VisionPeripheral]:
        """Import and return VisionPeripheral."""
        from omninet.model.modalities.vision.peripheral import VisionPeripheral

        return VisionPeripheral

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:
        """Return ``image`` and ``video``; if a task has several pictures, each is an image named by its role."""
        return {"image": "image", "video": "video"} if alone else {role: "image"}

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:
        """Decode an image, a pair of images or a video, and fit it to the backbone's input size."""
        if isinstance(value, Pair):
            first, second = (self.prepare(role, form, each, resources) for each in (value.first, value.second))
            notes = tuple(dict.fromkeys((*first.notes, *second.notes)))
            return Ready(np.concatenate([first.value, second.value]), 2, notes, aspect=first.aspect)
        if form == "video":
            clip = value if isinstance(value, Clip) else self._clip(bytes_of(value), resources.limits)
            frames = clip.frames if clip.fitted else fit(clip.frames, self.config.video, self.config.size)
            aspect = clip.aspect if clip.fitted else _aspect(clip.frames)
            return Ready(frames, len(frames), (CUT_VIDEO,) if clip.truncated else (), clip.times, aspect=aspect)
        picture = picture_of(value, resources.limits, self._least)
        frames = picture.pixels[None]
        frames = frames if picture.fitted else fit(frames, self.config.image, self.config.size)
        width, height = picture.full_size
        aspect = picture.aspect if picture.fitted else width / height
        return Ready(frames, 1, (CUT_IMAGE,) if picture.truncated else (), aspect=aspect, size=picture.full_size)

    def sample(self, number: int) -> Image.Image:
        """Return a random smooth image, 320 x 240 pixels."""
        colours = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return Image.fromarray(colours).resize((320, 240), Image.Resampling.BICUBIC)

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Picture | Clip:
        """Decode a file to frames and fit them to the backbone's input size."""
        if form == "video":
            return self._clip(data, limits)
        picture = decode_image(data, limits, self._least)
        (square,) = fit(picture.pixels[None], self.config.image, self.config.size)
        width, height = picture.full_size
        return Picture(square, picture.truncated, True, width / height, (width, height))

    def pack(self, value: Picture | Clip) -> tuple[dict[str, Any], bytes]:
        """Serialise a decoded picture or clip: metadata as JSON values, pixels as bytes."""
        if isinstance(value, Picture):
            about = {"truncated": value.truncated, "aspect": value.aspect, "size": value.size}
            return about, value.pixels.tobytes()
        about = {"truncated": value.truncated, "times": value.times, "duration": value.duration, "aspect": value.aspect}
        return about, value.frames.tobytes()

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Picture | Clip:
        """Deserialise the result of ``pack``.

        Raises:
            ValueError: the sides of the picture have no ratio; a compromised process may send anything.
        """
        size = self.config.size
        frames = np.frombuffer(bytearray(data), np.uint8).reshape(-1, 3, size, size)
        truncated, aspect = bool(header["truncated"]), float(header["aspect"])
        if not 0 < aspect < math.inf:
            raise ValueError(f"the aspect must be positive and finite, not {aspect}")
        if form == "video":
            times = tuple(map(float, header["times"]))
            return Clip(frames, times, float(header["duration"]), truncated, fitted=True, aspect=aspect)
        width, height = map(int, header["size"])
        if min(width, height) < 1:
            raise ValueError(f"the size must be positive, not {width} x {height}")
        return Picture(frames[0], truncated, True, aspect, (width, height))

    def tiny_file(self, form: str) -> bytes:  # noqa: ARG002
        """Return a GIF, valid as image and as video; one pixel wider than the input size, so that it is resized."""
        Image.init()  # imports the decoders of all other formats
        buffer = io.BytesIO()
        Image.new("RGB", (self.config.size + 1, self.config.size)).save(buffer, "GIF")
        return buffer.getvalue()

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the limits of image pixels, frame pixels and video seconds."""
        return {
            "image_pixels": media.image_pixels,
            "frame_pixels": media.frame_pixels,
            "video_seconds": media.video_seconds,
        }

    @property
    def frame_pixels(self) -> int:
        """Pixels of the backbone's input."""
        return self.config.size**2

    def most_bytes(self, media: MediaLimits) -> int:  # noqa: ARG002
        """Bytes of the maximum number of frames."""
        return self.config.frames * 3 * self.config.size**2

    def framed(self, ready: Ready) -> Framed:
        """Return the part of each picture that the backbone's input shows."""
        framing = self.config.video if ready.times else self.config.image
        share = self.config.size / (framing.side or self.config.size)
        return Framed(framing.treatment, share, framing.window, ready.aspect, ready.size)

    @property
    def _least(self) -> int:
        """Pixels of the shorter side of a picture that suffice; 0 for all pixels."""
        return self.config.image.draft * (self.config.image.side or self.config.size)

    def _clip(self, data: bytes, limits: MediaLimits) -> Clip:
        """Decode a video, large frames fitted before the next are decoded."""
        aspects = list[float]()

        def fitted(frames: np.ndarray) -> np.ndarray:
            aspects.append(_aspect(frames))
            return fit(frames, self.config.video, self.config.size)

        clip = decode_video(data, self.config.frames, limits, self.config.sampling, fitted)
        return replace(clip, aspect=aspects[0])


def _aspect(pixels: np.ndarray) -> float:
    """Return width divided by height of pixels (..., height, width)."""
    return float(pixels.shape[-1] / pixels.shape[-2])
