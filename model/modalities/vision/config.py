"""What a vision peripheral is, and how pictures of any size become what its backbone sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from omninet.model.config import Sampling, flags, one_of, positive
from omninet.model.errors import ConfigError

Treatment = Literal["squash", "crop", "pad"]
Window = Literal["middle", "corner"]


@dataclass(frozen=True)
class Framing:
    """How a picture of any size becomes the square that the backbone sees.

    Attributes:
        treatment: what becomes of a picture that is not square: ``squash`` it, ``crop`` what is too long, or
            ``pad`` it with grey.
        side: pixels that both its sides are brought to, with ``crop`` its shorter one, with ``pad`` its longer one;
            None is the backbone's size. Of more than that a window of that size is cut out.
        window: where: in the ``middle``, or in the top left ``corner``.
        antialias: whether a picture that is squashed is smoothed; the others always are.
        channels: their order, ``rgb`` or ``bgr``.
    """

    treatment: Treatment = "squash"
    side: int | None = None
    window: Window = "middle"
    antialias: bool = True
    channels: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        one_of(self, "treatment", get_args(Treatment))
        one_of(self, "window", get_args(Window))
        one_of(self, "channels", ("rgb", "bgr"))
        flags(self, "antialias")
        if self.side is not None:
            positive(self, "side")
        if not self.antialias and self.treatment != "squash":
            raise ConfigError(f"Framing.antialias must be true with {self.treatment}, not {self.antialias!r}")


@dataclass(frozen=True)
class Framed:
    """Which part of a picture of any size the network saw.

    Attributes:
        treatment, window: as in Framing.
        share: of the side that the picture was brought to, the side of the window that was cut out.
    """

    treatment: Treatment
    share: float
    window: Window


@dataclass(frozen=True)
class VisionConfig:
    """The backbone and the preprocessing it expects. The defaults are the paper's.

    Attributes:
        backbone: ``chain``, ``compact`` or the name of a torchvision classification model.
        size: side of the square picture that the backbone sees, in pixels.
        image, video: how an image, and a frame of a video, becomes that square.
        mean, std: of each channel, on pixels in [0, 1].
        frames: pictures sampled from a video, at most.
        sampling: which: ``spread`` evenly over it, or the first ones at the authors' ``stride``.
        standardise: whether channels are brought to mean 0 and deviation 1 over the training pictures.
        dropout: share of the channels that training leaves out, for all of an input at once.
        motion: whether a step also says how much each channel changed since the frame before, at every cell.
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

    def __post_init__(self) -> None:
        positive(self, "size", "frames")
        flags(self, "standardise", "motion")
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
