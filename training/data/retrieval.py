"""Examples of retrieval from photos with captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from omninet.model.outputs.embedding.retrieval import Described
from omninet.training.data.base import DataSet, Example, thinned


def retrieval_examples(split: str, photos: Iterable[Example]) -> list[Example]:
    """Return pairs of photo and caption for training; for other splits each photo and each caption on its own.

    Args:
        photos: one example per photo, with an image and all captions.
    """
    examples: list[Example] = []
    for photo in photos:
        name = str(photo.image)
        if split == "train":
            pair = Described("pair", name)
            examples += [replace(photo, inputs={**photo.inputs, "text": text}, truth=pair) for text in photo.captions]
        else:
            examples.append(replace(photo, truth=Described("image", name)))
            texts = Described("text", name)
            examples += [replace(photo, inputs={"text": text}, truth=texts) for text in photo.captions]
    return examples


class Retrieval(DataSet):
    """A data set of retrieval: a part of it has whole photos, with all of their captions."""

    task = "embed"

    def some(self, split: str, limit: int | None) -> Sequence[Example]:
        """Return about ``limit`` photos and captions of a split, evenly spaced; None returns all."""
        examples = self.read(split)
        if limit is None or limit >= len(examples):
            return examples
        photos = list(dict.fromkeys(example.truth.photo for example in examples))
        kept = set(thinned(photos, max(1, limit * len(photos) // len(examples))))
        return [example for example in examples if example.truth.photo in kept]
