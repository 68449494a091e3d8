"""Zero-shot evaluation on video, for a network trained without captions of or questions about videos.

The paper shows examples only; this module computes metrics. Data sets of clips with captions or questions are evaluated
as ``video-caption`` or ``video-qa`` without this module. It adds two tests that need no such data: photos with known
captions and questions are set in motion, and captions of activity clips are searched for words that name the activity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omninet.model.job import Job
from omninet.model.media.images import decode_image
from omninet.model.outputs.text.bleu import normalise
from omninet.model.predictor import Predictor
from omninet.model.tasks import Task
from omninet.training.data import Example
from omninet.training.evaluate.answering import Answered, answer_all, use_of
from omninet.training.evaluate.asking import captioning
from omninet.training.evaluate.class_words import CLASS_WORDS
from omninet.training.evaluate.motion import in_motion

NEAR_ZERO = 0.05  # below this, a value is displayed as 0.0 and a ratio to it is meaningless


@dataclass(frozen=True)
class Comparison:
    """One metric on photos in motion and on the same photos at rest.

    Attributes:
        ratio: moving / still; None if ``still`` is close to 0.
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
    """Share of captions of a class's clips that name the class, in percent.

    Attributes:
        control: share of captions of other classes' clips with the same words, excluding classes with these words.
        count: clips of the class.
    """

    label: str
    named: float
    control: float
    count: int


@dataclass(frozen=True)
class ZeroShot:
    """Results of the zero-shot tests.

    Attributes:
        motion: photos in motion.
        naming: each class with known words, followed by the mean over all clips.
    """

    motion: tuple[Comparison, ...]
    naming: tuple[Naming, ...]


def zero_shot(predictor: Predictor, answered: Iterable[Answered]) -> ZeroShot:
    """Run the zero-shot tests: motion on each task's first data set of photos, naming on clips with a class."""
    motion: list[Comparison] = []
    naming: list[Naming] = []
    for given in answered:
        if given.examples[0].image and uses_of_motion(given.task) and not given.is_further:
            motion += compare(predictor, given)
        elif _shows_classes(given.examples[0]):
            naming += name_classes(given.examples, caption_clips(predictor, given.examples))
    return ZeroShot(tuple(motion), tuple(naming))


def uses_of_motion(task: Task) -> list[str]:
    """Return a task's uses for videos, if it also has one for images."""
    forms = {form for use in task.uses for form in use.forms.values()}
    return [use.name for use in task.uses if "image" in forms and "video" in use.forms.values()]


def _shows_classes(example: Example) -> bool:
    """Return whether an example is a clip with a class, but without question or captions."""
    return bool(example.video and example.answer) and example.question is None and not example.captions


def compare(predictor: Predictor, answered: Answered) -> list[Comparison]:
    """Compare the metrics of photos in motion with those of the same photos at rest."""
    examples, use = answered.examples, uses_of_motion(answered.task)[0]
    still = answered.metrics()
    moving = answered.metrics(answer_all(predictor, examples, prepare_moving, use))
    return [
        Comparison(use, answered.data, name, still[name], moving[name], ratio, len(examples))
        for name in still
        for ratio in [moving[name] / still[name] if still[name] >= NEAR_ZERO else None]
    ]


def prepare_moving(predictor: Predictor, example: Example) -> Job:
    """Convert an example with a photo to a request with a clip of the photo in motion."""
    assert example.image is not None
    pixels = decode_image(example.image.read_bytes(), predictor.limits).pixels
    others = {name: value for name, value in example.inputs.items() if name != "image"}
    return predictor.prepare(example.task, video=in_motion(pixels, example.image.name), **others)


def caption_clips(predictor: Predictor, examples: Sequence[Example]) -> list[str]:
    """Caption each clip."""
    task = captioning(predictor)
    asked = [Example(task, {"video": example.video}) for example in examples]
    answers = answer_all(predictor, asked, title=use_of(predictor.config.network, asked[0]))
    return [predictor.output(task).line(answer) for answer in answers]


def name_classes(examples: Sequence[Example], captions: Sequence[str]) -> list[Naming]:
    """Count the captions that name their class, per class with known words and over all; empty without such classes."""
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
