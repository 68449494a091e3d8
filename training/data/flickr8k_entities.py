"""Phrases with boxes on the photos of Flickr8k, a part of Flickr30k Entities (Plummer et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.data.absent import absent_phrases
from omninet.training.data.base import DataSet, Example
from omninet.training.data.boxes import checked_box
from omninet.training.data.json_files import json_lines, malformed, text_of
from omninet.training.data.photo_folders import FLICKR8K

KIND = "entity with image, phrase and boxes"
ROUGH = "rough"
SECOND = 2  # of the absent phrases, only these are trained on: they teach no place


class Flickr8kEntities(DataSet):
    """``<split>.jsonl`` holds an entity per line: ``{"image": ..., "phrase": ..., "boxes": [[x1, y1, x2, y2], ...]}``.

    Boxes are fractions of the whole photo; a plural phrase has several. The field ``aspect`` tells how the photo's
    shape was found, since the boxes were published in pixels of originals of unknown size: ``exact``, ``close``, or
    ``rough``. Boxes of ``rough`` lines are off by 9% on one axis on average, so these lines are left out of train, and
    only of train: dev and test have none. The photos may lie in the folder ``flickr8k`` beside this one.
    """

    task = "ground"
    source = "https://bryanplummer.com/Flickr30kEntities/ (photos: Flickr8k)"
    layout = "train.jsonl, dev.jsonl (test.jsonl) and Flicker8k_Dataset/*.jpg, or the photos in ../flickr8k"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per entity, ``truth`` its boxes, then phrases of other photos, which have no box.

        In train there are half as many of these as entities, in the other splits as many.
        """
        path = self.existing(f"{split}.jsonl")
        photos = self.existing(*FLICKR8K)
        examples = []
        for where, record in json_lines(path, KIND):
            with malformed(where, KIND):
                inputs = {"image": photos / text_of(record["image"]), "phrase": text_of(record["phrase"])}
                boxes = tuple(map(checked_box, record["boxes"]))
                if not boxes:
                    raise ValueError("no box")
            if split != "train" or record.get("aspect") != ROUGH:
                examples.append(Example(self.task, inputs, truth=boxes))
        absent = absent_phrases(examples)
        return examples + (absent[::SECOND] if split == "train" else absent)
