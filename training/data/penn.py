"""Penn Treebank, Wall Street Journal sections (Marcus et al. 1993), as bracketed trees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from omninet.training.data.base import DataError, DataSet, Example, read_text

SECTIONS = {"train": range(19), "dev": range(19, 22), "test": range(22, 25)}
PIECE = re.compile(r"\(\s*([^\s()]+)\s+([^\s()]+)\s*\)|(\()\s*[^\s()]*|(\))|[^\s()]+")
TRACE = "-NONE-"
TYPED = {"-LRB-": "(", "-RRB-": ")", "-LCB-": "{", "-RCB-": "}", "-LSB-": "[", "-RSB-": "]"}
TYPED |= {"``": '"', "''": '"', "`": "'"}


class Penn(DataSet):
    """Sections 0-18 are train, 19-21 dev, 22-24 test, as in the paper.

    Tags are those of the leaves. Words are converted to normal spelling, since this is what served requests contain:
    ``(`` for ``-LRB-``, ``"`` for two backquotes, ``/`` without its backslash.
    """

    task = "pos"
    source = "https://catalog.ldc.upenn.edu/LDC99T42"
    layout = (
        "sections 00 to 24 of *.mrg, in parsed/mrg/wsj, wsj or the folder itself "
        "(for a treebank in CoNLL-U, name the data set conllu)"
    )

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per sentence, in the order of sections, files and trees."""
        return [
            Example(self.task, {"tokens": tuple(word for word, _ in sentence)}, tags=tuple(tag for _, tag in sentence))
            for number in SECTIONS[split]
            for path in self._files(number)
            for sentence in _sentences(path)
        ]

    def _files(self, section: int) -> list[Path]:
        folder = self.existing(*(f"{root}{section:02}" for root in ("parsed/mrg/wsj/", "wsj/", "")))
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".mrg")
        if not files:
            raise DataError(f"{folder} holds no *.mrg; expected {self.layout}; get it from {self.source}")
        return files


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Yield words and tags of each tree."""
    text = read_text(path)
    depth, sentence = 0, []
    for piece in PIECE.finditer(text):
        tag, word, opening, closing = piece.groups()
        if tag and tag != TRACE:
            sentence.append((_typed(word), tag))
        depth += bool(opening) - bool(closing)
        if depth < 0 or not (tag or opening or closing):
            line = text.count("\n", 0, piece.start()) + 1
            raise DataError(f"{path}:{line}: expected a bracketed tree, found {piece[0]!r}")
        if not depth and sentence:
            yield sentence
            sentence = []
    if depth:
        raise DataError(f"{path} ends within a tree: a closing bracket is missing")


def _typed(word: str) -> str:
    return TYPED.get(word, word.replace("\\/", "/").replace("\\*", "*"))
