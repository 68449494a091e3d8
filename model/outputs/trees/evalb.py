"""Labelled bracketing, as the program evalb measures it (Black et al. 1991; Sekine and Collins 1997)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from omninet.model.outputs.trees.tree import Tree

# Settings of Collins (1997): punctuation does not count, and two labels are one.
PUNCTUATION = {",", ":", "``", "''", "."}
EQUAL = {"PRT": "ADVP"}

Bracket = tuple[str, int, int]  # label, first word, and the word after the last, counted without punctuation


def brackets_of(tree: Tree, tags: Sequence[str]) -> Counter[Bracket]:
    """Return the constituents of a tree; those without any word but punctuation are left out.

    Args:
        tags: true part-of-speech tag of each word of the sentence.
    """
    found: Counter[Bracket] = Counter()
    counts = [tag not in PUNCTUATION for tag in tags]

    def visit(part: Tree | str, word: int) -> int:
        """Count a part that begins at a word; return the word after it."""
        if isinstance(part, str):
            return word + 1
        start = word
        for inner in part.parts:
            word = visit(inner, word)
        first, last = sum(counts[:start]), sum(counts[:word])
        if first < last:
            found[EQUAL.get(part.label, part.label), first, last] += 1
        return word

    visit(tree, 0)
    return found


def evalb_scores(wanted: Sequence[Tree], given: Sequence[Tree], tags: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return F1, precision and recall of the constituents of all sentences, and the share of exact trees, in percent.

    Args:
        wanted, given: tree of each sentence.
        tags: true part-of-speech tags of each sentence.
    """
    right = true = found = exact = 0
    for one, other, of_words in zip(wanted, given, tags, strict=True):
        gold, guess = brackets_of(one, of_words), brackets_of(other, of_words)
        right, true, found = right + (gold & guess).total(), true + gold.total(), found + guess.total()
        exact += gold == guess
    precision, recall = (100 * right / total if total else 0.0 for total in (found, true))
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0.0
    return {"F1": f1, "precision": precision, "recall": recall, "exact trees": 100 * exact / len(wanted)}
