"""Treebanks in CoNLL-U, such as Universal Dependencies' English EWT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from omninet.training.data.base import DataError, DataSet, Example, MissingError, read_text


class Conllu(DataSet):
    """One ``*<split>.conllu``; words are the FORM column, tags the XPOS column (Penn Treebank tags)."""

    task = "pos"
    source = "https://github.com/UniversalDependencies/UD_English-EWT"
    layout = "one file *train.conllu and one *dev.conllu"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per sentence."""
        self.existing(".")
        files = sorted(self.folder.glob(f"*{split}.conllu"))
        if len(files) != 1:
            kind = DataError if files else MissingError
            raise kind(f"{self.folder} holds {len(files)} files *{split}.conllu instead of one; see {self.source}")
        return [
            Example(self.task, {"tokens": tuple(word for word, _ in sentence)}, tags=tuple(tag for _, tag in sentence))
            for sentence in _sentences(files[0])
        ]


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        columns = line.split("\t")
        if not line.strip():
            if sentence:
                yield sentence
            sentence = []
        elif not line.startswith("#"):
            if len(columns) != 10:
                raise DataError(f"{path}:{number} has {len(columns)} columns instead of CoNLL-U's 10")
            # Skip multiword tokens such as 8-9 and empty nodes such as 8.1, which are not words.
            if columns[0].isdigit():
                sentence.append((columns[1], columns[4]))
    if sentence:
        yield sentence
