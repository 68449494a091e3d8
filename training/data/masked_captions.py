"""Captions in which nouns are masked, to measure what a picture adds to their translation (Caglayan et al. 2019)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from omninet.training.data.base import DataSet, Example
from omninet.training.data.caption_phrases import nouns
from omninet.training.data.multi30k_captions import Multi30kSeen

MASK = "___"
SHARE = 0.15  # of the nouns
HELD_BACK = 1000  # lines at the end of the training part; a fifth of it if there are fewer


class Multi30kMaskedSeen(DataSet):
    """English captions of Multi30k with masked nouns, and their photos, to be translated to German.

    All lines are of Multi30k's training part, since few others have a photo of Flickr8k: the last thousand are the dev
    split, the others the train split.
    """

    task = "english_german_seen"
    source = Multi30kSeen.source
    layout = Multi30kSeen.layout
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line with a photo, its nouns masked with a fixed seed."""
        every = Multi30kSeen(self.folder).read("train")
        first = len(every) - max(1, min(HELD_BACK, len(every) // 5))
        chosen = every[:first] if split == "train" else every[first:]
        return [replace(e, task=self.task, inputs={**e.inputs, "text": masked(e.inputs["text"])}) for e in chosen]


class Multi30kMasked(Multi30kMaskedSeen):
    """English captions with masked nouns, without their photos."""

    task = "english_german"

    def examples(self, split: str) -> Sequence[Example]:
        """Return the texts of Multi30kMaskedSeen."""
        return [replace(e, inputs={"text": e.inputs["text"]}) for e in super().examples(split)]


def masked(text: str) -> str:
    """Replace a share of the nouns of a caption by MASK; equal captions are masked alike."""
    draw = random.Random(text)
    return " ".join(MASK if is_noun(word) and draw.random() < SHARE else word for word in text.split(" "))


def is_noun(word: str) -> bool:
    """Return whether a word, which may end with a comma or a full stop, is a noun that captions use."""
    return word.lower().strip(".,") in nouns()
