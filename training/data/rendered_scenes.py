"""Photos with signs, labels and loose words on them, drawn anew each time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from omninet.training.data.base import Example
from omninet.training.data.rendered_text import RenderedText, some_text
from omninet.training.data.scene_drawing import DrawnScene

COUNTS = {"train": 5_000, "dev": 50}  # pictures


class RenderedScenes(RenderedText):
    """Pictures of several words with their places; fonts, photos and words are those of ``rendered_text``."""

    task = "read_scene"

    def examples(self, split: str) -> Sequence[Example]:
        """Return pictures that differ each time in ``train`` alone."""
        scene, draw = DrawnScene(partial(some_text, self.words()), self.library()), Random(split)
        if split == "train":
            return [Example(self.task, {"image": scene}, truth=())] * COUNTS[split]
        return [scene.example(draw) for _ in range(COUNTS[split])]
