"""Captions of Flickr8k's photos in two languages, from Multi30k (Elliott et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from omninet.training.data.base import DataError, DataSet, Example, read_text
from omninet.training.data.photo_folders import FLICKR8K

FILES = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
LIST = "Flickr_8k.{split}Images.txt"


class Multi30kCaptions(DataSet):
    """German captions; ``<split>_images.txt`` names the Flickr30k photo of each line of ``<split>.de``.

    A split has the lines of that split of Multi30k whose photo is in that split of Flickr8k, where names are longer:
    ``1000268201_693b08cb0e.jpg`` is Flickr30k's ``1000268201.jpg``. Each photo has one caption.
    """

    task = "german_caption"
    source = "https://github.com/multi30k/dataset (photos: Flickr8k)"
    layout = "train.de, train_images.txt, val.de, val_images.txt, and Flickr8k's photos and lists in ../flickr8k"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line with a photo.

        Raises:
            DataError: the files have different numbers of lines.
        """
        photos = photos_of_lines(self, split)
        lines = zip(self.lines(split, "de"), photos, strict=True)
        return [
            Example(self.task, {"image": photo}, text, captions=(text,)) for text, photo in lines if photo is not None
        ]

    def lines(self, split: str, language: str) -> list[str]:
        """Return the lines of a split in a language.

        Raises:
            DataError: there are not as many as photos.
        """
        path, names = self.existing(f"{FILES[split]}.{language}"), self.existing(f"{FILES[split]}_images.txt")
        texts, ids = (read_text(each).removesuffix("\n").split("\n") for each in (path, names))
        if len(texts) != len(ids):
            raise DataError(f"{path} has {len(texts)} lines and {names} has {len(ids)}, not as many")
        return [text.strip() for text in texts]


class Multi30kSeen(Multi30kCaptions):
    """English captions with their photos, to be translated to German."""

    task = "english_german_seen"
    layout = f"train.en, val.en, {Multi30kCaptions.layout}"
    languages: ClassVar[tuple[str, str]] = ("en", "de")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line with a photo; for errors see Multi30kCaptions."""
        texts, translations = (self.lines(split, language) for language in self.languages)
        return [
            Example(self.task, {"text": text, "image": photo}, translation, captions=(translation,))
            for text, translation, photo in zip(texts, translations, photos_of_lines(self, split), strict=True)
            if photo is not None
        ]


class Multi30kSeenBack(Multi30kSeen):
    """German captions with their photos, to be translated to English."""

    task = "german_english_seen"
    languages = ("de", "en")


def photos_of_lines(dataset: DataSet, split: str) -> list[Path | None]:
    """Return the photo of each line of a split; None if it is not in that split of Flickr8k."""
    photos, chosen = dataset.existing(*FLICKR8K), LIST.format(split=split)
    files = read_text(dataset.existing(chosen, f"../flickr8k/{chosen}")).split()
    of_id = {f"{name.partition('_')[0].removesuffix('.jpg')}.jpg": photos / name for name in files}
    names = read_text(dataset.existing(f"{FILES[split]}_images.txt")).removesuffix("\n").split("\n")
    return [of_id.get(name) for name in names]
