"""Named entities in CoNLL columns: CoNLL 2003, WNUT 2017."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from omninet.model.outputs.spans.bio import with_beginnings
from omninet.training.data.base import DataError, DataSet, Example, read_text

DOCUMENT = "-DOCSTART-"


class ConllEntities(DataSet):
    """A word a line, its tag in the last column, sentences separated by empty lines; a subclass names the files.

    Tags may be BIO, or the older form in which a span begins with ``I-x`` unless another one of x is right before it.

    Attributes:
        files: split -> possible names of its file.
    """

    task = "entities"
    files: ClassVar[dict[str, tuple[str, ...]]]

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per sentence."""
        return [
            Example(
                self.task,
                {"tokens": tuple(word for word, _ in sentence)},
                tags=tuple(with_beginnings([tag for _, tag in sentence])),
            )
            for sentence in _sentences(self.existing(*self.files[split]))
        ]


class Wnut17(ConllEntities):
    """WNUT 2017, emerging and rare entities (Derczynski et al. 2017): words and tags separated by tabs."""

    source = "https://github.com/leondz/emerging_entities_17"
    files: ClassVar = {
        "train": ("wnut17train.conll",),
        "dev": ("emerging.dev.conll",),
        "test": ("emerging.test.annotated",),
    }
    layout = ", ".join(names[0] for names in files.values())


class Conll2003(ConllEntities):
    """CoNLL 2003 (Tjong Kim Sang and De Meulder 2003): four columns separated by spaces."""

    source = "https://www.clips.uantwerpen.be/conll2003/ner/"
    files: ClassVar = {
        "train": ("eng.train", "train.txt"),
        "dev": ("eng.testa", "valid.txt"),
        "test": ("eng.testb", "test.txt"),
    }
    layout = "eng.train, eng.testa and eng.testb, or train.txt, valid.txt and test.txt"


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        columns = line.split()
        if columns and columns[0] != DOCUMENT:
            if len(columns) < 2 or not (columns[-1] == "O" or columns[-1].startswith(("B-", "I-"))):
                raise DataError(f"{path}:{number} is not 'word ... tag' with a tag O, B-x or I-x: {line[:60]!r}")
            sentence.append((columns[0], columns[-1]))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence
