"""Texts and their translations: Multi30k and WMT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from omninet.training.data.base import DataError, DataSet, Example, read_text

FILES = {"train": ("train",), "dev": ("val", "dev"), "test": ("test_2016_flickr", "test2016", "test")}
WMT_FILES = {"train": ("train",), "dev": ("newstest2013",), "test": ("newstest2014",)}


class TextPairs(DataSet):
    """Texts and their translations: line i of one file is translated by line i of the other; a subclass says which.

    Attributes:
        source_language, target_language: ISO 639-1 codes, which are the endings of the files.
        files: split -> possible names of its files, without the ending.
    """

    source_language: ClassVar[str]
    target_language: ClassVar[str]
    files: ClassVar[Mapping[str, tuple[str, ...]]]

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line.

        Raises:
            DataError: the files have different numbers of lines, or a line is empty.
        """
        paths = [
            self.existing(*(f"{name}.{language}" for name in self.files[split]))
            for language in (self.source_language, self.target_language)
        ]
        texts, translations = (read_text(path).removesuffix("\n").split("\n") for path in paths)
        if len(texts) != len(translations):
            raise DataError(f"{paths[0]} has {len(texts)} lines and {paths[1]} has {len(translations)}, not as many")
        for path, lines in zip(paths, (texts, translations), strict=True):
            if (empty := next((i for i, line in enumerate(lines, 1) if not line.strip()), 0)) > 0:
                raise DataError(f"{path}:{empty} is empty")
        pairs = ((one.strip(), other.strip()) for one, other in zip(texts, translations, strict=True))
        return [Example(self.task, {"text": text}, answer, captions=(answer,)) for text, answer in pairs]


class Multi30k(TextPairs):
    """Captions of Flickr30k (Elliott et al. 2016), English to German."""

    task = "english_german"
    source = "https://github.com/multi30k/dataset"
    files = FILES
    layout = "train.en, train.de, val.en, val.de (test_2016_flickr.en, test_2016_flickr.de)"
    source_language, target_language = "en", "de"


class Multi30kBack(Multi30k):
    """Captions of Flickr30k, German to English."""

    task = "german_english"
    source_language, target_language = "de", "en"


class Wmt14(TextPairs):
    """News and proceedings (Bojar et al. 2014), English to German; not run on the real files."""

    task = "english_german"
    source = "https://nlp.stanford.edu/projects/nmt/"
    files = WMT_FILES
    layout = "train.en, train.de, newstest2013.en, newstest2013.de (newstest2014.en, newstest2014.de)"
    source_language, target_language = "en", "de"


class Wmt14Back(Wmt14):
    """News and proceedings, German to English; not run on the real files."""

    task = "german_english"
    source_language, target_language = "de", "en"
