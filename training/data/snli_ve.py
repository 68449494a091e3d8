"""SNLI-VE (Xie et al. 2019): whether a photo entails a sentence, contradicts it, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import json_lines, malformed, one_of, text_of
from omninet.training.data.photo_folders import FLICKR8K, FLICKR30K

KIND = "SNLI-VE record"
LABELS = ("entailment", "neutral", "contradiction")
UNDECIDED = "-"  # SNLI's label of pairs on which the annotators do not agree


class SnliVe(DataSet):
    """``snli_ve_<split>.jsonl`` holds a pair per line: ``Flickr30K_ID``, ``sentence2`` (hypothesis), ``gold_label``.

    The photo is ``<Flickr30K_ID>.jpg`` in a folder of Flickr30k. A line may name a file of Flickr8k in ``image``
    instead. Lines with the label ``-``, on which the annotators did not agree, are left out.
    """

    task = "entailment"
    source = "https://github.com/necla-ml/SNLI-VE (photos: Flickr30k)"
    layout = (
        "snli_ve_train.jsonl, snli_ve_dev.jsonl (snli_ve_test.jsonl) and flickr30k_images/*.jpg or "
        "Flicker8k_Dataset/*.jpg, or the photos in ../flickr30k or ../flickr8k"
    )

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per pair, in the order of the file."""
        path = self.existing(f"snli_ve_{split}.jsonl")
        photos: dict[bool, Path] = {}
        examples = []
        for where, record in json_lines(path, KIND):
            is_8k = "image" in record
            if is_8k not in photos:
                photos[is_8k] = self.existing(*(FLICKR8K if is_8k else FLICKR30K))
            with malformed(where, KIND):
                if record["gold_label"] != UNDECIDED:
                    examples.append(self._example(photos[is_8k], record))
        return examples

    def _example(self, photos: Path, record: dict[str, Any]) -> Example:
        name = text_of(record["image"]) if "image" in record else f"{text_of(record['Flickr30K_ID'])}.jpg"
        return Example(
            self.task,
            {"image": photos / name, "statement": text_of(record["sentence2"])},
            one_of(record["gold_label"], LABELS),
            question_id=str(record.get("pairID", "")),
        )
