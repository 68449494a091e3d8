"""The tasks as data: what each takes, what kind of output it has, and under which names it is offered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from omninet.model.config import flags, one_of
from omninet.model.errors import ConfigError

Views = Literal["any", "plain"]


@dataclass(frozen=True)
class Input:
    """One input of a task.

    Attributes:
        role: what it is to the task, such as ``picture`` or ``question``; no two inputs of a task have the same.
        peripheral: name of the network's peripheral that encodes it; which modality that has, the network's
            configuration says.
        domain: name of the control vector that it is encoded with.
    """

    role: str
    peripheral: str
    domain: str


@dataclass(frozen=True)
class Use:
    """A name under which a task is offered: an endpoint, a command and a tab of the page.

    Attributes:
        forms: role -> the one form in which its input is given; a role that is missing takes every form.
        title: what the page calls it; empty for the name.
        summary: what it does, for people; empty for the task's.
    """

    name: str
    forms: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    summary: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ConfigError(f"{self.name!r} cannot be a path: names are small letters and digits, parted by hyphens")


@dataclass(frozen=True)
class Task:
    """A task; it is saved in the checkpoint.

    Attributes:
        inputs: in the order in which they are encoded.
        output: name in OUTPUTS: ``label`` is one step, ``tags`` one for each word, ``text`` runs until the end token.
        vocabulary: name of its classes, which other tasks may share; empty where its output has none.
        summary: what it does, for people.
        moves: whether it has learnt what motion looks like; other tasks are shown a video as pictures one by one, as
            they know them.
        views: which random views of a training picture leave its target right: ``any``, or the ``plain`` picture
            alone, where mirrored or cropped ones would be wrong.
        answer: what JSON calls the answer, where the output lets a task choose; empty for the output's own name.
        uses: names under which it is offered; by default its own, with hyphens for what no path may have.
    """

    name: str
    inputs: tuple[Input, ...]
    output: str
    vocabulary: str = ""
    summary: str = ""
    moves: bool = False
    views: Views = "any"
    answer: str = ""
    uses: tuple[Use, ...] = ()

    def __post_init__(self) -> None:
        one_of(self, "views", get_args(Views))
        flags(self, "moves")
        if not self.inputs:
            raise ConfigError(f"task {self.name} has no inputs")
        roles = [given.role for given in self.inputs]
        if repeated := [role for role in roles if roles.count(role) > 1]:
            raise ConfigError(f"task {self.name} has more than one input of the role {repeated[0]!r}")
        if not self.uses:
            object.__setattr__(self, "uses", (Use(re.sub("[^a-z0-9]+", "-", self.name.lower()).strip("-")),))

    def input(self, role: str) -> Input:
        """Return the input of a role.

        Raises:
            ConfigError: there is none.
        """
        for given in self.inputs:
            if given.role == role:
                return given
        raise ConfigError(f"task {self.name} has no input of the role {role!r}")


PICTURE = Input("picture", "vision", "image")
QUESTION = Input("question", "language", "english")
TEXT = Input("text", "language", "english")
IMAGE, VIDEO = {"picture": "image"}, {"picture": "video"}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "pos",
            (TEXT,),
            "tags",
            "pos",
            "a part-of-speech tag for every word of a text",
            uses=(Use("pos", title="Tag words"),),
        ),
        Task(
            "activity",
            (PICTURE,),
            "label",
            "activity",
            "what is done in a video",
            moves=True,
            answer="activity",
            uses=(Use("activity", VIDEO, "Name an activity"),),
        ),
        Task(
            "caption",
            (PICTURE,),
            "text",
            "caption",
            "a sentence about an image or a video",
            uses=(
                Use("caption", IMAGE, "Describe an image", "a sentence about an image"),
                Use("video-caption", VIDEO, "Describe a video", "a sentence about a video, without training on any"),
            ),
        ),
        Task(
            "vqa",
            (PICTURE, QUESTION),
            "label",
            "vqa",
            "the answer to a question about an image or a video",
            answer="answer",
            uses=(
                Use("vqa", IMAGE, "Ask about an image", "the answer to a question about an image"),
                Use(
                    "video-qa",
                    VIDEO,
                    "Ask about a video",
                    "the answer to a question about a video, without training on any",
                ),
            ),
        ),
    )
}


def uses_of(tasks: Iterable[Task]) -> dict[str, tuple[Task, Use]]:
    """Return the names under which tasks are offered, each with its task.

    Raises:
        ConfigError: two of them have one name.
    """
    found: dict[str, tuple[Task, Use]] = {}
    for task in tasks:
        for use in task.uses:
            if use.name in found:
                raise ConfigError(f"tasks {found[use.name][0].name} and {task.name} are both offered as {use.name!r}")
            found[use.name] = (task, use)
    return found
