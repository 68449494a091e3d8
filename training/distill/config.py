"""Configuration of a distillation, read from a YAML file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from omninet.training.config import Recipe, Strict
from omninet.training.data import DATASETS
from omninet.training.distill.views import Kind

Deviation = Annotated[float, Field(gt=0)]


class BackboneSpec(Strict):
    """A backbone and its input normalisation.

    Attributes:
        backbone: one of ``OURS`` of the vision peripheral, or the name of a torchvision classification model.
        mean, std: per channel, for pixels in [0, 1].
    """

    backbone: str
    mean: tuple[float, float, float]
    std: tuple[Deviation, Deviation, Deviation]


class Pictures(Strict):
    """How pictures are stored.

    Attributes:
        side: length in pixels to which the shorter side of larger pictures is reduced.
        quality: JPEG quality, 1 to 100.
        frames: frames stored per clip; a few are enough, since the frames of a clip look alike.
        most: maximum number of pictures per class of a collection; None keeps all.
        held_back: share of the pictures reserved for evaluation.
    """

    side: Annotated[int, Field(ge=32)] = 256
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    frames: Annotated[int, Field(ge=1)] = 4
    most: Annotated[int, Field(ge=1)] | None = None
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Views(Strict):
    """Views of a photo, used as network inputs.

    Attributes:
        size: side of the square input in pixels.
        kinds: fixed views of each photo; evaluation uses the first.
        crop: minimum share of a picture's area in a ``crop``.
        light: maximum change of brightness and contrast, drawn at each step.
    """

    size: Annotated[int, Field(ge=32)] = 224
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("squash", "crop", "pad", "crop")
    crop: Annotated[float, Field(gt=0, le=1)] = 0.25
    light: Annotated[float, Field(ge=0, lt=1)] = 0.2


class Words(Strict):
    """Words of captions that the student learns to name.

    Attributes:
        least: minimum number of captions that have a word.
        weight: of their loss.
    """

    least: Annotated[int, Field(ge=1)] = 30
    weight: Annotated[float, Field(gt=0)] = 1.0


class Folder(Strict):
    """A folder of photos.

    Attributes:
        folder: path relative to the data folder.
        list: text file, relative to the data folder, with one path inside ``folder`` per line; None takes all photos.
    """

    folder: str
    list: str | None = None


class DistillConfig(Recipe):
    """A distillation run.

    Attributes:
        seed: of the student's initial weights, the order of the views and their augmentation.
        teacher: the first teacher.
        more_teachers: further teachers; the last of all teachers provides the class logits.
        datasets: name in DATASETS -> its folder, relative to the data folder. Training pictures are used; dev pictures
            and copies of them never are.
        folders: name -> further photos.
        excluded: photos that must not be used, nor copies of them.
        words: what the student learns of the captions that the data sets have; None for nothing.
        often: name of a data set, folder or collection -> how many times an epoch shows each of its photos; once else.
        channels: maximum number of channels to which each teacher's map is projected.
        batch: views per step.
        rate: maximum learning rate.
        warmup, cooldown: shares of the steps over which the learning rate rises, and falls to zero at the end.
        average: decay of the exponential moving average of the weights.
        decay: weight decay.
        temperature: of the softmax in the loss of the class logits.
        measured: steps between two evaluations.
    """

    seed: int = 0
    teacher: BackboneSpec
    more_teachers: tuple[BackboneSpec, ...] = ()
    student: BackboneSpec
    datasets: dict[str, str] = Field(default_factory=dict)
    folders: dict[str, Folder] = Field(default_factory=dict)
    excluded: tuple[Folder, ...] = ()
    pictures: Pictures = Pictures()
    views: Views = Views()
    words: Words | None = None
    often: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
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
    def teachers(self) -> tuple[BackboneSpec, ...]:
        """Return all teachers in order."""
        return (self.teacher, *self.more_teachers)

    @field_validator("datasets")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in DATASETS:
                raise ValueError(f"unknown data set {name!r}; known are {', '.join(DATASETS)}")
        return value
