"""What a distillation is, as one YAML file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from training.config import Recipe, Strict
from training.data import DATASETS

Deviation = Annotated[float, Field(gt=0)]


class Eye(Strict):
    """A backbone, and the pixels that it expects.

    Attributes:
        backbone: ``compact`` or the name of a torchvision classification model.
        mean, std: of each channel, on pixels in [0, 1].
    """

    backbone: str
    mean: tuple[float, float, float]
    std: tuple[Deviation, Deviation, Deviation]


class Pictures(Strict):
    """How pictures are kept.

    Attributes:
        side: of the square that each is squashed to, in pixels.
        quality: of the WebP files, 1 to 100.
        frames: pictures of each clip; its frames look alike.
        held_back: share of the pictures that is never trained on, to measure with.
    """

    side: Annotated[int, Field(ge=32)] = 128
    quality: Annotated[int, Field(ge=1, le=100)] = 60
    frames: Annotated[int, Field(ge=1)] = 4
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Views(Strict):
    """What is shown at a step.

    Attributes:
        size: side that both backbones see, in pixels.
        crop: least share of a picture's area that a view shows.
        light: largest change of brightness and contrast.
        mixed: share of the views that are blended with another.
    """

    size: Annotated[int, Field(ge=32)] = 224
    crop: Annotated[float, Field(gt=0, le=1)] = 0.2
    light: Annotated[float, Field(ge=0, lt=1)] = 0.3
    mixed: Annotated[float, Field(ge=0, le=1)] = 0.5


class DistillConfig(Recipe):
    """A distillation.

    Attributes:
        seed: of the student's first weights, the order of the pictures and the views.
        datasets: name in DATASETS -> its folder, relative to the data folder: whose training pictures are used.
        rate: highest learning rate.
        warmup: share of the steps over which it rises; it falls to zero along a cosine.
        decay: weight decay.
        temperature: of the classes that are compared.
    """

    seed: int = 0
    teacher: Eye
    student: Eye
    datasets: dict[str, str] = Field(default_factory=dict)
    pictures: Pictures = Pictures()
    views: Views = Views()
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2)]
    rate: Annotated[float, Field(gt=0)]
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.03
    decay: Annotated[float, Field(ge=0)] = 0.02
    temperature: Annotated[float, Field(gt=0)] = 2.0

    @field_validator("datasets")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in DATASETS:
                raise ValueError(f"unknown data set {name!r}; known are {', '.join(DATASETS)}")
        return value
