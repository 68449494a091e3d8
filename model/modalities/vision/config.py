"""Configuration of vision peripherals and of their preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from omninet.model.config import Sampling, flags, not_negative, one_of, positive
from omninet.model.errors import ConfigError

Treatment = Literal["squash", "crop", "pad"]
Window = Literal["middle", "corner"]


@dataclass(frozen=True)
class Framing:
    """Preprocessing of a picture of any size to the square input of the backbone.

    Attributes:
        treatment: how to make the picture square: ``squash`` scales both sides to ``side``, ``crop`` scales the shorter
            side to ``side``, ``pad`` scales the longer side to ``side`` and pads with grey.
        side: target side in pixels; None means the backbone's size. If larger, a window of the backbone's size is cut.
        window: position of the window: in the ``middle`` or the top left ``corner``.
        antialias: use antialiasing with ``squash``; the other treatments always do.
        channels: channel order, ``rgb`` or ``bgr``.
        draft: large JPEGs are decoded to a half, a quarter or an eighth of their size, as long as both sides stay this
            many times as long as ``side``; 0 decodes all pixels. Not for videos.
    """

    treatment: Treatment = "squash"
    side: int | None = None
    window: Window = "middle"
    antialias: bool = True
    channels: Literal["rgb", "bgr"] = "rgb"
    draft: int = 0

    def __post_init__(self) -> None:
        one_of(self, "treatment", get_args(Treatment))
        one_of(self, "window", get_args(Window))
        one_of(self, "channels", ("rgb", "bgr"))
        flags(self, "antialias")
        not_negative(self, "draft")
        if self.side is not None:
            positive(self, "side")
        if not self.antialias and self.treatment != "squash":
            raise ConfigError(f"Framing.antialias must be true with {self.treatment}, not {self.antialias!r}")


@dataclass(frozen=True)
class Framed:
    """The part of a picture that the network sees.

    Attributes:
        treatment, window: see Framing.
        share: side of the window divided by the side of the scaled picture.
        aspect: width divided by height of the whole picture.
        size: width and height of the whole picture as displayed, in its own pixels; (0, 0) for a video.
    """

    treatment: Treatment
    share: float
    window: Window
    aspect: float = 1.0
    size: tuple[int, int] = (0, 0)

    def covered(self) -> tuple[float, float, float, float]:
        """Return the part of the picture that the network sees: left, top, width, height as fractions of the picture.

        With ``pad`` it is larger than the picture.
        """
        wide, high = self.aspect, 1.0
        if self.treatment == "squash":
            return self._start(self.share), self._start(self.share), self.share, self.share
        if self.treatment == "crop":
            across, down = (self.share * min(wide, high) / length for length in (wide, high))
            return self._start(across), self._start(down), across, down
        padded = max(wide, high)
        left, top = (((length - padded) / 2 + self._start(self.share) * padded) / length for length in (wide, high))
        return left, top, self.share * padded / wide, self.share * padded / high

    def _start(self, length: float) -> float:
        """Return where a window begins whose length is a fraction of the picture's side."""
        return 0.0 if self.window == "corner" else (1 - length) / 2


@dataclass(frozen=True)
class VisionConfig:
    """Configuration of a vision peripheral. The defaults are the paper's.

    Attributes:
        backbone: ``chain``, ``compact`` or the name of a torchvision classification model.
        size: side of the backbone's square input, in pixels.
        image, video: preprocessing of images and of video frames.
        mean, std: normalisation of each channel, for pixels in [0, 1].
        frames: maximum number of frames sampled from a video.
        sampling: frames to sample: ``spread`` evenly over the video, or the first ones at the authors' ``stride``.
        standardise: normalise backbone channels to mean 0 and standard deviation 1 over the training pictures.
        dropout: dropout of whole backbone channels, equal for all steps and cells of an input.
        motion: add motion features: the change of each channel since the previous frame, at every cell.
        places: add to each cell features of its place, without which the network cannot tell where a cell is.
    """

    backbone: str = "resnet152"
    size: int = 224
    image: Framing = Framing()
    video: Framing = Framing()
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    frames: int = 16
    sampling: Sampling = "spread"
    standardise: bool = False
    dropout: float = 0.0
    motion: bool = False
    places: bool = False

    def __post_init__(self) -> None:
        positive(self, "size", "frames")
        flags(self, "standardise", "motion", "places")
        one_of(self, "sampling", get_args(Sampling))
        for framing in (self.image, self.video):
            if framing.side is not None and framing.side < self.size:
                raise ConfigError(f"Framing.side must be at least VisionConfig.size, {self.size}, not {framing.side}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or len(value) != 3:
                raise ConfigError(f"VisionConfig.{name} must be three values, not {value!r}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"VisionConfig.dropout must be from 0 to below 1, not {self.dropout!r}")
        if min(self.std) <= 0:
            raise ConfigError(f"VisionConfig.std must be above 0, not {self.std!r}")
