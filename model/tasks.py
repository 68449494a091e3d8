"""The tasks: what each takes, how long it decodes and what its output is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Output = Literal["label", "tags", "text"]


@dataclass(frozen=True)
class TaskSpec:
    """A task as data.

    Attributes:
        inputs: peripherals in the order in which their inputs are encoded.
        moves: whether it has learnt what motion looks like; other tasks are shown a video as pictures one by one, as
            they know them.
        output: ``label`` is one step, ``tags`` one step for each word, ``text`` runs until the end token.
        summary: what it does, for people.
    """

    name: str
    inputs: tuple[str, ...]
    output: Output
    summary: str
    moves: bool = False


TASKS = {
    task.name: task
    for task in (
        TaskSpec("pos", ("language",), "tags", "a part-of-speech tag for every word of a text"),
        TaskSpec("activity", ("vision",), "label", "what is done in a video", moves=True),
        TaskSpec("caption", ("vision",), "text", "a sentence about an image or a video"),
        TaskSpec("vqa", ("vision", "language"), "label", "the answer to a question about an image or a video"),
    )
}


@dataclass(frozen=True)
class Use:
    """A way to use a task: what the service and the command line offer under one name.

    Attributes:
        inputs: keyword arguments of Predictor.prepare.
    """

    name: str
    task: str
    inputs: tuple[str, ...]
    summary: str


USES = {
    use.name: use
    for use in (
        Use("caption", "caption", ("image",), "a sentence about an image"),
        Use("vqa", "vqa", ("image", "question"), "the answer to a question about an image"),
        Use("pos", "pos", ("text",), "a part-of-speech tag for every word of a text"),
        Use("activity", "activity", ("video",), "what is done in a video"),
        Use("video-caption", "caption", ("video",), "a sentence about a video, without training on any"),
        Use("video-qa", "vqa", ("video", "question"), "the answer to a question about a video, likewise"),
    )
}
