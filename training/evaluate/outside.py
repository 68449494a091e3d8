"""Predictions for pictures outside the training distribution, and for degraded pictures.

These are qualitative examples, except for the metrics on COCO photos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.media.images import Picture, decode_image
from omninet.model.predictor import Predictor
from omninet.training.data import DataError, Example
from omninet.training.data.coco import Coco
from omninet.training.evaluate.answering import Answered, answer_all, use_of
from omninet.training.evaluate.asking import captioning, questioning
from omninet.training.evaluate.markdown import rows
from omninet.training.evaluate.measures import Measure, measure
from omninet.training.evaluate.tables import table
from omninet.training.evaluate.things import Naming, name_things, naming_section

HEADING = "## Outside its data"
QUESTION = "what is in the picture?"
COCO = "coco_mini"  # folder next to the run's data sets
# Pictures that scikit-image's package includes.
SAMPLES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "camera.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "horse.png",
    "coins.png",
    "grass.png",
    "brick.png",
    "page.png",
    "hubble_deep_field.jpg",
)
SPOILT = 3  # number of samples, and of dev photos, that are also shown degraded
TINY = 24  # pixels
UNCHANGED = "as it is"
TREATMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "dark": lambda pixels: (pixels * 0.15).to(torch.uint8),
    "turned by 90°": lambda pixels: pixels.rot90(1, (-2, -1)),
    "turned by 180°": lambda pixels: pixels.rot90(2, (-2, -1)),
    "upside down": lambda pixels: pixels.flip(-2),
    "tiny": lambda pixels: transforms.resize(pixels, _within(pixels, TINY), antialias=True),
    "grey": lambda pixels: transforms.rgb_to_grayscale(pixels, 3),
    "blurred": lambda pixels: transforms.gaussian_blur(pixels, [2 * (min(pixels.shape[-2:]) // 20) + 1] * 2),
}


@dataclass(frozen=True)
class Said:
    """A picture and the network's predictions for it.

    Attributes:
        treatment: name in TREATMENTS, or UNCHANGED.
        per_token: geometric mean of the probabilities of the caption's tokens.
        probability: of the answer.
    """

    picture: str
    treatment: str
    caption: str
    per_token: float
    answer: str
    probability: float


@dataclass(frozen=True)
class Outside:
    """All predictions outside the training distribution.

    Attributes:
        coco: metrics of captions of COCO photos, if these are available.
        naming: results on photos of everyday things, if their folder is given.
    """

    said: tuple[Said, ...]
    coco: Measure | None
    naming: Naming | None = None


def outside(
    predictor: Predictor,
    samples: Mapping[str, Path],
    photos: Sequence[Example],
    data: Path,
    things: Path | None = None,
) -> Outside:
    """Predict for sample pictures and dev photos, some of them degraded, and for photos of everyday things.

    Args:
        samples: name -> file.
        photos: dev examples.
        data: folder that may contain COCO photos.
        things: folder of photos of everyday things (``things.read_things``).
    """
    own = {e.image.name: e.image for e in photos[:SPOILT] if e.image}
    said: list[Said] = []
    for number, (name, path) in enumerate([*samples.items(), *own.items()]):
        spoilt = number < SPOILT or number >= len(samples)
        said += ask(predictor, name, path, TREATMENTS if spoilt else ())
    naming = name_things(predictor, things) if things else None
    return Outside(tuple(said), measure_coco(predictor, data / COCO), naming)


def ask(predictor: Predictor, name: str, path: Path, treatments: Iterable[str]) -> list[Said]:
    """Predict for a picture as it is, and after each treatment."""
    pixels = torch.from_numpy(decode_image(path.read_bytes(), predictor.limits).pixels)
    seen = {UNCHANGED: pixels} | {treatment: TREATMENTS[treatment](pixels) for treatment in treatments}
    return [_say(predictor, name, treatment, Picture(found.numpy())) for treatment, found in seen.items()]


def _say(predictor: Predictor, name: str, treatment: str, picture: Picture) -> Said:
    caption, caption_probability = _asked(predictor, captioning(predictor), image=picture)
    answer, probability = _asked(predictor, questioning(predictor), image=picture, question=QUESTION)
    return Said(name, treatment, caption, caption_probability, answer, probability)


def _asked(predictor: Predictor, task: str, **inputs: Any) -> tuple[str, float]:
    """Return an answer as text, with its probability."""
    answer, output = predictor.predict(task, **inputs), predictor.output(task)
    return output.line(answer), output.probability(answer)


def measure_coco(predictor: Predictor, folder: Path) -> Measure | None:
    """Evaluate captions of the COCO training photos, which the network was not trained on; None if missing."""
    if not folder.is_dir():
        return None
    dataset = Coco(folder)
    examples = dataset.read("train")
    answers = answer_all(predictor, examples, title=folder.name)
    task, use = predictor.task(examples[0].task), use_of(predictor.config.network, examples[0])
    return measure(Answered(dataset, examples, answers, task, use))


def sample_pictures() -> dict[str, Path]:
    """Return name -> file of the SAMPLES that are installed with scikit-image.

    Raises:
        DataError: scikit-image or its pictures are not installed.
    """
    package = find_spec("skimage")
    folders = [Path(place) / "data" for place in (package and package.submodule_search_locations) or ()]
    found = {name: folder / name for folder in folders for name in SAMPLES if (folder / name).is_file()}
    if not found:
        raise DataError("the sample pictures of scikit-image are not installed: pip install scikit-image")
    return found


def _within(pixels: Tensor, side: int) -> list[int]:
    """Return height and width of a picture scaled to fit into a square."""
    height, width = pixels.shape[-2:]
    scale = side / max(height, width)
    return [max(1, round(height * scale)), max(1, round(width * scale))]


def section(found: Outside, command: str) -> str:
    """Return the section of the model card, without its heading."""
    cells = [
        (s.picture, s.treatment, s.caption, f"{s.per_token:.2f}", s.answer, f"{s.probability:.2f}") for s in found.said
    ]
    heading = f"picture | treatment | caption | per token | {QUESTION} | probability"
    text = (
        f"By `{command}`:\npictures of scikit-image and the first dev photos, none chosen by what is said of them.\n"
        f"Per token: geometric mean of the probabilities. Tiny is {TINY} pixels, dark 15% of the light.\n\n"
        f"{rows(heading, cells)}"
    )
    if found.naming:
        text += f"\n{naming_section(found.naming)}"
    return f"{text}\nCaptions of the COCO photos in `{COCO}`:\n\n{table([found.coco])}" if found.coco else text
