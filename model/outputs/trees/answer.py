"""Answers of the trees output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer


@dataclass(frozen=True)
class ParsedSentence:
    """The constituents of a sentence.

    Attributes:
        tree: in brackets, such as ``(S (NP the dog) (VP runs))``; brackets among the words are written ``-LRB-`` and
            ``-RRB-``, spaces within a word as underscores.
        log_probability: natural log-probability of the tree.
    """

    tree: str
    log_probability: float


@dataclass(frozen=True)
class Parse(PlainAnswer):
    """The constituents of every sentence."""

    sentences: tuple[ParsedSentence, ...]
