"""Trees as sequences of classes (Vinyals et al. 2015), such as ``(S (NP word word ) (VP word ) ) end``.

The words themselves are no classes: they are put in afterwards. Does not import torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from omninet.model.decoding.grammar import Grammar
from omninet.model.outputs.trees.tree import Tree, escaped

OPEN, WORD, CLOSE, END = "(", "word", ")", "end"


def classes_of(tree: Tree) -> list[str]:
    """Return the classes of a tree, and the end."""
    return [*_classes(tree), END]


def _classes(tree: Tree) -> Iterator[str]:
    yield OPEN + tree.label
    for part in tree.parts:
        yield from (WORD,) if isinstance(part, str) else _classes(part)
    yield CLOSE


def written(classes: Sequence[str], words: Sequence[str]) -> str:
    """Return the tree of a complete sequence of classes, with its words, such as ``(S (NP the dog) (VP runs))``."""
    rest = iter(words)
    pieces = [escaped(next(rest)) if name == WORD else name for name in classes if name != END]
    return " ".join(pieces).replace(f" {CLOSE}", CLOSE)


@dataclass(frozen=True)
class BracketGrammar(Grammar):
    """Complete trees with a given number of words, in at most ``steps`` classes; no constituent is empty.

    Attributes:
        words: number of words.
        steps: maximum number of classes; at least ``words`` + 3: a constituent around all words, and the end.
        opening: ids of the classes that open a constituent.
        word, close, end: ids of the other classes.
    """

    words: int
    steps: int
    opening: frozenset[int]
    word: int
    close: int
    end: int

    def following(self, prefix: Sequence[int]) -> Collection[int]:
        """Return the classes that may follow a prefix."""
        depth = sum(each in self.opening for each in prefix) - prefix.count(self.close)
        if prefix and not depth:
            return (self.end,)
        left = self.words - prefix.count(self.word)
        spare = self.steps - len(prefix) - (left + depth + 1)  # not needed to complete the tree
        allowed = set(self.opening) if left and (not prefix or spare >= 2) else set[int]()
        if depth and left:
            allowed.add(self.word)
        if depth and prefix[-1] not in self.opening and (depth > 1 or not left):
            allowed.add(self.close)
        return allowed


def bracket_grammar(names: Sequence[str], words: int, steps: int) -> BracketGrammar:
    """Return the grammar of a sentence.

    Args:
        names: names of the classes in the order of their ids.
    """
    ids = {name: i for i, name in enumerate(names)}
    opening = frozenset(i for name, i in ids.items() if name.startswith(OPEN))
    return BracketGrammar(words, steps, opening, ids[WORD], ids[CLOSE], ids[END])
