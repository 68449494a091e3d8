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
        output: ``label`` is one step, ``tags`` one step for each word, ``text`` runs until the end token.
        summary: what it does, for people.
    """

    name: str
    inputs: tuple[str, ...]
    output: Output
    summary: str


TASKS = {
    task.name: task
    for task in (
        TaskSpec("pos", ("language",), "tags", "a part-of-speech tag for every word of a text"),
        TaskSpec("activity", ("vision",), "label", "what is done in a video"),
        TaskSpec("caption", ("vision",), "text", "a sentence about an image or a video"),
        TaskSpec("vqa", ("vision", "language"), "label", "the answer to a question about an image or a video"),
    )
}
