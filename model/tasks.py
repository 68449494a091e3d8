"""The tasks as data: what each takes, what kind of output it has, and what its classes are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from model.config import flags, one_of
from model.errors import ConfigError

Views = Literal["any", "plain"]


@dataclass(frozen=True)
class Input:
    """One input of a task.

    Attributes:
        role: what it is to the task, such as ``picture`` or ``question``; no two inputs of a task have the same.
        peripheral: name of the network's peripheral that encodes it.
        domain: name of the control vector that it is encoded with.
    """

    role: str
    peripheral: str
    domain: str


@dataclass(frozen=True)
class Task:
    """A task; it is saved in the checkpoint.

    Attributes:
        inputs: in the order in which they are encoded.
        output: name in OUTPUTS: ``label`` is one step, ``tags`` one for each word, ``text`` runs until the end token.
        vocabulary: name of its classes, which other tasks may share.
        summary: what it does, for people.
        moves: whether it has learnt what motion looks like; other tasks are shown a video as pictures one by one, as
            they know them.
        views: which random views of a training picture leave its target right: ``any``, or the ``plain`` picture
            alone, where mirrored or cropped ones would be wrong.
    """

    name: str
    inputs: tuple[Input, ...]
    output: str
    vocabulary: str
    summary: str = ""
    moves: bool = False
    views: Views = "any"

    def __post_init__(self) -> None:
        one_of(self, "views", get_args(Views))
        flags(self, "moves")
        if not self.inputs:
            raise ConfigError(f"task {self.name} has no inputs")
        roles = [given.role for given in self.inputs]
        if repeated := [role for role in roles if roles.count(role) > 1]:
            raise ConfigError(f"task {self.name} has more than one input of the role {repeated[0]!r}")


PICTURE = Input("picture", "vision", "image")
QUESTION = Input("question", "language", "english")
TEXT = Input("text", "language", "english")

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task("pos", (TEXT,), "tags", "pos", "a part-of-speech tag for every word of a text"),
        Task("activity", (PICTURE,), "label", "activity", "what is done in a video", moves=True),
        Task("caption", (PICTURE,), "text", "caption", "a sentence about an image or a video"),
        Task("vqa", (PICTURE, QUESTION), "label", "vqa", "the answer to a question about an image or a video"),
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
