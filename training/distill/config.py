"""What a distillation is, as one YAML file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from omninet.training.config import Recipe, Strict
from omninet.training.data import DATASETS
from omninet.training.distill.views import Kind

Deviation = Annotated[float, Field(gt=0)]


class Eye(Strict):
    """A backbone, and the pixels that it expects.

    Attributes:
        backbone: one of ours (``OURS`` of the vision peripheral) or the name of a torchvision classification model.
        mean, std: of each channel, on pixels in [0, 1].
    """

    backbone: str
    mean: tuple[float, float, float]
    std: tuple[Deviation, Deviation, Deviation]


class Pictures(Strict):
    """How pictures are kept.

    Attributes:
        side: of the shorter side, in pixels, to which larger pictures are shrunk.
        quality: of the JPEG files, 1 to 100.
        frames: pictures of each clip; its frames look alike.
        most: pictures of one class of one collection, at most; None keeps all.
        held_back: share of the pictures that is never trained on, to measure with.
    """

    side: Annotated[int, Field(ge=32)] = 256
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    frames: Annotated[int, Field(ge=1)] = 4
    most: Annotated[int, Field(ge=1)] | None = None
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Views(Strict):
    """What is shown of a photo.

    Attributes:
        size: side of the square that all networks see, in pixels.
        kinds: of the fixed views of each photo; the first one is what is measured.
        crop: least share of a picture's area that a ``crop`` shows.
        light: largest change of brightness and contrast, drawn at each step.
    """

    size: Annotated[int, Field(ge=32)] = 224
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("squash", "crop", "pad", "crop")
    crop: Annotated[float, Field(gt=0, le=1)] = 0.25
    light: Annotated[float, Field(ge=0, lt=1)] = 0.2


class Folder(Strict):
    """Photos of a folder.

    Attributes:
        folder: relative to the data folder.
        list: a text file, relative to the data folder, that names the photos to take, a path inside ``folder`` a
            line; None takes all.
    """

    folder: str
    list: str | None = None


class DistillConfig(Recipe):
    """A distillation.

    Attributes:
        seed: of the student's first weights, the order of the views and what is changed in them.
        teacher: the first of them.
        more_teachers: further ones; the last of all names the classes.
        datasets: name in DATASETS -> its folder, relative to the data folder: whose training pictures are used, and
            never their dev pictures or copies of them.
        folders: name -> further photos.
        excluded: photos of which neither they nor copies are used.
        channels: to which each teacher's map is projected, at most.
        batch: views a step.
        rate: highest learning rate.
        warmup, cooldown: share of the steps over which it rises, and over which it falls to zero at the end.
        average: of the weights that are kept beside the trained ones, how much of them stays at a step.
        decay: weight decay.
        temperature: of the classes that are compared.
        measured: steps between two measurements.
    """

    seed: int = 0
    teacher: Eye
    more_teachers: tuple[Eye, ...] = ()
    student: Eye
    datasets: dict[str, str] = Field(default_factory=dict)
    folders: dict[str, Folder] = Field(default_factory=dict)
    excluded: tuple[Folder, ...] = ()
    pictures: Pictures = Pictures()
    views: Views = Views()
    channels: Annotated[int, Field(ge=1)] = 192
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2)]
    rate: Annotated[float, Field(gt=0)]
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.03
    cooldown: Annotated[float, Field(ge=0, lt=1)] = 0.2
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    decay: Annotated[float, Field(ge=0)] = 0.02
    temperature: Annotated[float, Field(gt=0)] = 1.0
    measured: Annotated[int, Field(ge=1)] = 2000

    @property
    def teachers(self) -> tuple[Eye, ...]:
        """All of them."""
        return (self.teacher, *self.more_teachers)

    @field_validator("datasets")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in DATASETS:
                raise ValueError(f"unknown data set {name!r}; known are {', '.join(DATASETS)}")
        return value
