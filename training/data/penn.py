"""Penn Treebank, Wall Street Journal sections (Marcus et al. 1993), as bracketed trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from omninet.model.outputs.trees.tree import Tree, plain, tagged_words
from omninet.model.outputs.trees.tree import read_trees as trees_of
from omninet.training.data.base import DataError, DataSet, Example, read_text

SECTIONS = {"train": range(19), "dev": range(19, 22), "test": range(22, 25)}
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
            self._example(tree)
            for number in SECTIONS[split]
            for path in self._files(number)
            for tree in read_trees(path)
        ]

    def _example(self, tree: Tree) -> Example:
        words, tags = zip(*typed_words(tree), strict=True)
        return Example(self.task, {"tokens": words}, tags=tags)

    def _files(self, section: int) -> list[Path]:
        folder = self.existing(*(f"{root}{section:02}" for root in ("parsed/mrg/wsj/", "wsj/", "")))
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".mrg")
        if not files:
            raise DataError(f"{folder} holds no *.mrg; expected {self.layout}; get it from {self.source}")
        return files


class PennTrees(Penn):
    """The constituents of the same sentences."""

    task = "parse"

    def _example(self, tree: Tree) -> Example:
        return tree_example(tree)


class PtbSample(DataSet):
    """A part of the treebank in one file for each split, ``train.mrg``, ``dev.mrg`` (``test.mrg``), such as NLTK's."""

    task = "parse"
    source = "https://www.nltk.org/nltk_data/ (treebank: 5% of the Penn Treebank)"
    layout = "train.mrg, dev.mrg (test.mrg), one tree a line"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per tree."""
        return list(map(tree_example, read_trees(self.existing(f"{split}.mrg"))))


def tree_example(tree: Tree) -> Example:
    """Return an example of the task ``parse``: its words, their tags, and its plain tree as truth."""
    words, tags = zip(*typed_words(tree), strict=True)
    found = plain(tree)
    whole = found if isinstance(found, Tree) else Tree(tags[0], (str(found),))
    return Example("parse", {"tokens": words}, tags=tags, truth=str(whole))


def read_trees(path: Path) -> Iterator[Tree]:
    """Yield the trees of a file that have words.

    Raises:
        DataError: the file is malformed.
    """
    try:
        yield from (tree for tree in trees_of(read_text(path)) if list(tagged_words(tree)))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def typed_words(tree: Tree) -> list[tuple[str, str]]:
    """Return the words of a tree in normal spelling, with their tags."""
    return [(_typed(word), tag) for word, tag in tagged_words(tree)]


def _typed(word: str) -> str:
    return TYPED.get(word, word.replace("\\/", "/").replace("\\*", "*"))
