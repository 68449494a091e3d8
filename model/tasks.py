"""Definitions of the tasks: inputs, output, vocabulary and uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from omninet.model.config import flags, one_of, plain_name
from omninet.model.errors import ConfigError

Views = Literal["any", "plain", "moved"]


@dataclass(frozen=True)
class Input:
    """One input of a task.

    Attributes:
        role: name of the input within the task, such as ``picture`` or ``question``; unique within the task.
        peripheral: name of the network's peripheral that encodes the input.
        domain: name of the control vector that the input is encoded with.
        second: request field with a second picture, which tasks with ``pairs`` need and all others refuse; empty if no
            task takes one.
    """

    role: str
    peripheral: str
    domain: str
    second: str = ""


@dataclass(frozen=True)
class Use:
    """A way to use a task: an endpoint of the service, a command-line name and a tab of the web page.

    Attributes:
        name: name in URLs and on the command line.
        forms: role -> the one form in which the input must be given; roles that are not listed take every form.
        title: title on the web page; empty means the name.
        summary: description for people; empty means that of the task.
        chooses, choice: request field that chooses among the tasks that share the endpoint, such as ``kind``, and its
            value for this task; the first task is the default. Several fields, and their values, are joined by hyphens:
            ``source-target`` and ``en-de``. Empty if the endpoint has one task. Where a task that chooses nothing
            shares its endpoint with tasks that do, it is chosen by its ``choice``, or else by its name.
        beside: role of a file that a request has besides the inputs of other tasks at the same endpoint: those take
            JSON, and this task a form. Empty if all tasks of the endpoint have the same inputs.
    """

    name: str
    forms: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    summary: str = ""
    chooses: str = ""
    choice: str = ""
    beside: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a use: use lower-case letters and digits, separated by hyphens"
            )
        if self.chooses and not self.choice:
            raise ConfigError(f"use {self.name}: the field {self.chooses} needs a value, choice")
        if self.choice.count("-") < self.chooses.count("-"):
            raise ConfigError(f"use {self.name}: the choice {self.choice!r} lacks a value of {self.chooses}")

    @property
    def choosing(self) -> dict[str, str]:
        """Return the request fields that choose among the tasks of the endpoint, with the values for this task."""
        fields = self.chooses.split("-") if self.chooses else []
        return dict(zip(fields, self.choice.split("-", len(fields) - 1), strict=False))


@dataclass(frozen=True)
class Task:
    """A task, as stored in the checkpoint's configuration.

    Attributes:
        inputs: inputs in the order in which they are encoded.
        output: name in OUTPUTS: ``label`` decodes one step, ``tags`` one per word, ``text`` until the end token.
        vocabulary: name of the vocabulary, which tasks may share; empty if the output has none.
        summary: description for people.
        moves: True if the task was trained with motion features; for other tasks video frames are encoded without them.
        views: augmentation of training pictures: ``any`` view; only ``plain`` pictures if others would be wrong; or any
            view with the target ``moved``: its boxes, and the words left and right.
        answer: name of the answer in JSON, if the output lets the task choose one; empty means the output's default.
        uses: uses of the task; by default one with the task's name, other characters replaced by hyphens.
        either: True if the inputs are alternatives: a request has exactly one, and training compares them.
        negatives_for: task that is also trained on the pairs that this task, with alternative inputs, wrongly takes for
            alike; empty for none.
        pairs: True if the input with ``second`` is a pair of pictures, which are encoded as two frames.
        tokenizer: name of the tokenizer of the answered text; empty is the one that all texts share that name none.
        then: task that continues with what this task finds, such as reading the words; a checkpoint has both. Empty
            for none.
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
    either: bool = False
    negatives_for: str = ""
    pairs: bool = False
    tokenizer: str = ""
    then: str = ""

    def __post_init__(self) -> None:
        one_of(self, "views", get_args(Views))
        plain_name(self, "tokenizer")
        flags(self, "moves", "either", "pairs")
        if not self.inputs:
            raise ConfigError(f"task {self.name} has no inputs")
        roles = [given.role for given in self.inputs]
        if repeated := [role for role in roles if roles.count(role) > 1]:
            raise ConfigError(f"task {self.name} has more than one input with the role {repeated[0]!r}")
        if self.pairs and not any(given.second for given in self.inputs):
            raise ConfigError(
                f"task {self.name} takes pairs, but none of its inputs has a field for the second picture"
            )
        if not self.uses:
            object.__setattr__(self, "uses", (Use(re.sub("[^a-z0-9]+", "-", self.name.lower()).strip("-")),))

    def input(self, role: str) -> Input:
        """Return the input with a role.

        Raises:
            ConfigError: the task has no input with this role.
        """
        for given in self.inputs:
            if given.role == role:
                return given
        raise ConfigError(f"task {self.name} has no input with the role {role!r}")


PICTURE = Input("picture", "vision", "image")
QUESTION = Input("question", "language", "english")
TEXT = Input("text", "language", "english")
GERMAN = Input("text", "german", "german")
PHRASE = Input("phrase", "language", "english")
ONE_OR_TWO = Input("picture", "vision", "image", second="second_image")
STATEMENT = Input("statement", "language", "english")
LINE = Input("picture", "line", "writing")
PAGE = Input("picture", "page", "scene")
SPEECH = Input("audio", "audio", "audio")
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
                Use("caption", IMAGE, "Describe an image", "a sentence about an image", choice="en"),
                Use("video-caption", VIDEO, "Describe a video", "a sentence about a video, without training on any"),
            ),
        ),
        Task(
            "german_caption",
            (PICTURE,),
            "text",
            "german",
            "a German sentence about an image",
            uses=(Use("caption", IMAGE, "Describe in German", chooses="language", choice="de"),),
            tokenizer="german",
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
        Task(
            "gqa",
            (PICTURE, QUESTION),
            "label",
            "gqa",
            "the answer to a question about an image, in the answers of GQA",
            answer="answer",
            uses=(Use("vqa", IMAGE, "Ask as in GQA", chooses="family", choice="gqa"),),
        ),
        Task(
            "genome_qa",
            (PICTURE, QUESTION),
            "label",
            "vqa",  # shared with VQA v2, as in 12-in-1
            "the answer to a question about an image, as in Visual Genome",
            answer="answer",
            uses=(Use("vqa", IMAGE, "Ask as in Visual Genome", chooses="family", choice="genome_qa"),),
        ),
        Task(
            "entities",
            (TEXT,),
            "spans",
            "entities",
            "the names of people, places and other things in a text",
            uses=(Use("entities", title="Find names"),),
        ),
        Task(
            "parse",
            (TEXT,),
            "trees",
            "brackets",
            "the constituents of every sentence of a text, as trees",
            uses=(Use("parse", title="Parse sentences"),),
        ),
        Task(
            "english_german",
            (TEXT,),
            "translation",
            "german",
            "an English text in German",
            uses=(Use("translate", title="Translate to German", chooses="source-target", choice="en-de"),),
            tokenizer="german",
        ),
        Task(
            "german_english",
            (GERMAN,),
            "translation",
            "english",
            "a German text in English",
            uses=(Use("translate", title="Translate to English", chooses="source-target", choice="de-en"),),
        ),
        Task(
            "english_german_seen",
            (TEXT, PICTURE),
            "translation",
            "german",
            "an English text about an image in German",
            uses=(Use("translate", IMAGE, "Translate to German", "", "source-target", "en-de", beside="picture"),),
            tokenizer="german",
        ),
        Task(
            "german_english_seen",
            (GERMAN, PICTURE),
            "translation",
            "english",
            "a German text about an image in English",
            uses=(Use("translate", IMAGE, "Translate to English", "", "source-target", "de-en", beside="picture"),),
        ),
        Task(
            "transcribe",
            (SPEECH,),
            "transcript",
            "characters",
            "what is said in a recording",
            uses=(Use("transcribe", title="Transcribe speech"),),
        ),
        Task(
            "read_scene",
            (PAGE,),
            "scene",
            summary="the words that are written in an image, and where",
            views="plain",
            uses=(Use("read", IMAGE, "Read a scene", chooses="mode", choice="scene"),),
            then="read_word",
        ),
        Task(
            "read_word",
            (LINE,),
            "word",
            "letters",
            "the word that is written in an image of it",
            views="plain",
            uses=(Use("read", IMAGE, "Read a word", chooses="mode", choice="word"),),
        ),
        Task(
            "match",
            (PICTURE, TEXT),
            "match",
            "match",
            "how well a text fits an image",
            uses=(Use("match", IMAGE, "Match a text"),),
        ),
        Task(
            "embed",
            (PICTURE, TEXT),
            "embedding",
            summary="a vector of an image or a text, for search",
            uses=(Use("embed", IMAGE, "Embed"),),
            either=True,
            negatives_for="match",
        ),
        Task(
            "ground",
            (PICTURE, PHRASE),
            "boxes",
            "places",
            "where the thing that a phrase names is in an image",
            views="moved",
            uses=(Use("ground", IMAGE, "Find a thing"),),
        ),
        Task(
            "entailment",
            (ONE_OR_TWO, STATEMENT),
            "label",
            "entailment",
            "whether an image entails a statement, contradicts it, or neither",
            uses=(Use("verify", IMAGE, "Verify a statement", chooses="kind", choice="entailment"),),
        ),
        Task(
            "truth",
            (ONE_OR_TWO, STATEMENT),
            "label",
            "truth",
            "whether a statement is true of an image",
            views="plain",
            uses=(Use("verify", IMAGE, "True or false", chooses="kind", choice="truth"),),
        ),
        Task(
            "pair",
            (ONE_OR_TWO, STATEMENT),
            "label",
            "truth",
            "whether a statement is true of two images",
            views="plain",
            uses=(Use("verify", IMAGE, "True or false of two images", chooses="kind", choice="truth"),),
            pairs=True,
        ),
        Task(
            "imagenet",
            (PICTURE,),
            "label",
            "imagenet",
            "which of ImageNet's 1,000 things an image shows",
            uses=(Use("classify", IMAGE, "Name a thing", chooses="classes", choice="imagenet"),),
        ),
        Task(
            "caltech101",
            (PICTURE,),
            "label",
            "caltech101",
            "which of 100 things an image shows, by the classes of Caltech-101",
            uses=(Use("classify", IMAGE, "Name a thing of Caltech-101", chooses="classes", choice="caltech101"),),
        ),
    )
}
