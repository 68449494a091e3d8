"""What the network makes of video although it has seen no captioned or questioned one.

The paper shows examples; these are measures. All frames of a clip are encoded as one video. Clips that come with
captions or questions need nothing of their own: a data set of them in a run's ``caption`` or ``vqa`` is measured as
``video-caption`` or ``video-qa``. Two more need no such clips: photos whose captions and questions are known are set in
motion, and captions of clips by class are searched for words that name what the class shows.
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

NOTHING = 0.05  # shown as 0.0; a ratio to it says nothing


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
        if given.examples[0].image and uses_of_motion(given.task) and not given.is_further:
            motion += compare(predictor, given)
        elif _shows_classes(given.examples[0]):
            naming += name_classes(given.examples, caption_clips(predictor, given.examples))
    return ZeroShot(tuple(motion), tuple(naming))


def uses_of_motion(task: Task) -> list[str]:
    """Names under which a task is offered for videos, if it is for images, too."""
    forms = {form for use in task.uses for form in use.forms.values()}
    return [use.name for use in task.uses if "image" in forms and "video" in use.forms.values()]


def _shows_classes(example: Example) -> bool:
    """Whether an example is a clip of which nothing is known but the name of what it shows."""
    return bool(example.video and example.answer) and example.question is None and not example.captions


def compare(predictor: Predictor, answered: Answered) -> list[Comparison]:
    """Figures of photos in motion, against those of the same photos."""
    examples, use = answered.examples, uses_of_motion(answered.task)[0]
    still = answered.metrics()
    moving = answered.metrics(answer_all(predictor, examples, prepare_moving, use))
    return [
        Comparison(use, answered.data, name, still[name], moving[name], ratio, len(examples))
        for name in still
        for ratio in [moving[name] / still[name] if still[name] >= NOTHING else None]
    ]


def prepare_moving(predictor: Predictor, example: Example) -> Job:
    """A photo of a data set as a clip."""
    assert example.image is not None
    pixels = decode_image(example.image.read_bytes(), predictor.limits).pixels
    others = {name: value for name, value in example.inputs.items() if name != "image"}
    return predictor.prepare(example.task, video=in_motion(pixels, example.image.name), **others)


def caption_clips(predictor: Predictor, examples: Sequence[Example]) -> list[str]:
    """A sentence about each clip."""
    task = captioning(predictor)
    asked = [Example(task, {"video": example.video}) for example in examples]
    answers = answer_all(predictor, asked, title=use_of(predictor.config.network, asked[0]))
    return [predictor.output(task).line(answer) for answer in answers]


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
