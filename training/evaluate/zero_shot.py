"""What the network makes of video although it has seen no captioned or questioned one.

The paper shows examples; these are measures. All frames of a clip are encoded as one video. Clips that come with
captions or questions need nothing of their own: a data set of them in a run's ``caption`` or ``vqa`` is measured as
``video-caption`` or ``video-qa``. Two more need no such clips: photos whose captions and questions are known are set in
motion, and captions of clips by class are searched for words that name what the class shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model.job import Job
from model.media.images import decode_image
from model.outputs.text.answer import Caption
from model.outputs.text.bleu import normalise
from model.predictor import Predictor
from training.data import Example
from training.evaluate.answering import Answered, answer_all
from training.evaluate.class_words import CLASS_WORDS
from training.evaluate.motion import in_motion
from training.evaluate.scores import score

NOTHING = 0.05  # shown as 0.0; a ratio to it says nothing
VIDEO_USES = {"caption": "video-caption", "vqa": "video-qa"}


@dataclass(frozen=True)
class Comparison:
    """One figure of photos in motion beside the same photos'.

    Attributes:
        ratio: moving / still; None where still is next to nothing.
    """

    task: str
    data: str
    name: str
    still: float
    moving: float
    ratio: float | None
    count: int


@dataclass(frozen=True)
class Naming:
    """How many captions of a class's clips name what it shows, in percent.

    Attributes:
        control: the same words in captions of clips of other classes; classes of the same words are no others.
        count: clips of the class.
    """

    label: str
    named: float
    control: float
    count: int


@dataclass(frozen=True)
class ZeroShot:
    """All that was measured without training for it.

    Attributes:
        motion: photos in motion.
        naming: of each class that words are known for, the mean over clips last.
    """

    motion: tuple[Comparison, ...]
    naming: tuple[Naming, ...]


def zero_shot(predictor: Predictor, answered: Iterable[Answered]) -> ZeroShot:
    """Measure what the first data set of each task allows: photos with captions or questions, and clips by class."""
    motion: list[Comparison] = []
    naming: list[Naming] = []
    for given in answered:
        if given.use in VIDEO_USES and not given.is_further:
            motion += compare(predictor, given)
        elif given.use == "activity":
            naming += name_classes(given.examples, caption_clips(predictor, given.examples))
    return ZeroShot(tuple(motion), tuple(naming))


def compare(predictor: Predictor, answered: Answered) -> list[Comparison]:
    """Figures of photos in motion, against those of the same photos."""
    examples, use = answered.examples, VIDEO_USES[answered.use]
    still = score(examples, answered.answers)
    moving = score(examples, answer_all(predictor, examples, prepare_moving, use))
    return [
        Comparison(use, answered.data, name, still[name], moving[name], ratio, len(examples))
        for name in still
        for ratio in [moving[name] / still[name] if still[name] >= NOTHING else None]
    ]


def prepare_moving(predictor: Predictor, example: Example) -> Job:
    """A photo of a data set as a clip."""
    assert example.image is not None
    pixels = decode_image(example.image.read_bytes(), predictor.limits).pixels
    return predictor.prepare(example.task, video=in_motion(pixels, example.image.name), question=example.question)


def caption_clips(predictor: Predictor, examples: Sequence[Example]) -> list[str]:
    """A sentence about each clip."""
    asked = [replace(example, task="caption") for example in examples]
    answers = answer_all(predictor, asked, title="video-caption")
    return [answer.caption for answer in answers if isinstance(answer, Caption)]


def name_classes(examples: Sequence[Example], captions: Sequence[str]) -> list[Naming]:
    """Each class of the examples that words are known for, and all of them; empty where there is none."""
    said = [
        (example.answer, set(normalise(caption).split())) for example, caption in zip(examples, captions, strict=True)
    ]
    labels = sorted({label for label, _ in said} & CLASS_WORDS.keys())
    classes = [_naming(label, said) for label in labels]
    count = sum(naming.count for naming in classes)
    if not count:
        return []
    named = sum(naming.named * naming.count for naming in classes) / count
    control = sum(naming.control * naming.count for naming in classes) / count
    return [*classes, Naming("all", named, control, count)]


def _naming(label: str, said: Sequence[tuple[str, set[str]]]) -> Naming:
    words = CLASS_WORDS[label]
    own = [bool(words & caption) for other, caption in said if other == label]
    others = [bool(words & caption) for other, caption in said if CLASS_WORDS.get(other) != words]
    return Naming(label, _percent(own), _percent(others), len(own))


def _percent(hits: Sequence[bool]) -> float:
    return 100 * sum(hits) / len(hits) if hits else 0.0
