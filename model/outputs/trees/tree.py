"""Constituency trees in the bracketed form of the Penn Treebank (Marcus et al. 1993)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TRACE = "-NONE-"
TOKEN = re.compile(r"[()]|[^\s()]+")
# The treebank's spelling of brackets, which would otherwise look like those of the tree.
ESCAPED = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}


@dataclass(frozen=True)
class Tree:
    """A constituent.

    Attributes:
        label: its kind, such as ``NP``; in a treebank's trees also the part-of-speech tag of a single word. It is empty
            at the root of the Penn Treebank's trees.
        parts: constituents and words.
    """

    label: str
    parts: tuple[Tree | str, ...]

    def __str__(self) -> str:
        return f"({' '.join([self.label, *map(str, self.parts)])})"

    @property
    def words(self) -> Iterator[str]:
        """Return the words in order."""
        for part in self.parts:
            yield from (part,) if isinstance(part, str) else part.words


def read_trees(text: str) -> Iterator[Tree]:
    """Yield the trees of a text.

    Raises:
        ValueError: brackets do not match, or a word stands outside of a tree.
    """
    open_parts: list[list[Tree | str]] = []
    is_label, start = False, 0
    for found in TOKEN.finditer(text):
        token = found[0]
        if token == "(":
            if is_label:
                open_parts[-1].append("")
            start = start if open_parts else found.start()
            open_parts.append([])
        elif token == ")" and open_parts:
            label, *parts = open_parts.pop() or [""]
            tree = Tree(str(label), tuple(parts))
            if not open_parts:
                yield tree
            else:
                open_parts[-1].append(tree)
        elif token != ")" and open_parts:
            open_parts[-1].append(token)
        else:
            raise ValueError(f"line {_line(text, found.start())}: expected a bracketed tree, found {token!r}")
        is_label = token == "("
    if open_parts:
        raise ValueError(f"line {_line(text, start)}: a closing bracket of this tree is missing")


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def tagged_words(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the words of a treebank's tree with their tags, without traces.

    Raises:
        ValueError: a word has no tag.
    """
    if _is_tagged_word(tree):
        if tree.label != TRACE:
            yield str(tree.parts[0]), tree.label
        return
    for part in tree.parts:
        if not isinstance(part, Tree):
            raise ValueError(f"the word {part!r} has no tag")  # noqa: TRY004 - the text is wrong, not the caller
        yield from tagged_words(part)


def plain(tree: Tree) -> Tree | str | None:
    """Return a treebank's tree without tags, traces, empty constituents, grammatical functions and unlabelled root.

    Returns:
        A word for a word with its tag; None if nothing remains.
    """
    if _is_tagged_word(tree):
        return None if tree.label == TRACE else tree.parts[0]
    parts = [kept for part in tree.parts if (kept := plain(part) if isinstance(part, Tree) else part) is not None]
    if not parts:
        return None
    if not tree.label and len(parts) == 1:
        return parts[0]
    return Tree(re.split("[-=|]", tree.label)[0], tuple(parts))


def _is_tagged_word(tree: Tree) -> bool:
    return len(tree.parts) == 1 and isinstance(tree.parts[0], str)


def escaped(word: str) -> str:
    """Return a word as it is written in a tree: brackets by their names, spaces as underscores."""
    return re.sub(r"\s+", "_", "".join(ESCAPED.get(letter, letter) for letter in word))
