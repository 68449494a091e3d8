"""Spans of BIO tags (Ramshaw and Marcus 1995), and how many of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from omninet.model.decoding.grammar import OUTSIDE


class Span(NamedTuple):
    """Words of one entity.

    Attributes:
        start, end: the first word, and the one after the last.
        kind: type of the entity.
    """

    start: int
    end: int
    kind: str


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence's tags; ``I-x`` that follows no tag of x begins one, as in the CoNLL program."""
    spans: list[Span] = []
    former = ""
    for i, tag in enumerate(tags):
        part, _, kind = tag.partition("-")
        if tag != OUTSIDE and (part == "B" or kind != former):
            spans.append(Span(i, i + 1, kind))
        elif tag != OUTSIDE:
            spans[-1] = spans[-1]._replace(end=i + 1)
        former = kind
    return spans


def with_beginnings(tags: Sequence[str]) -> list[str]:
    """Return tags in which every span begins with ``B-x``, of tags whose spans may begin with ``I-x`` (CoNLL 2003)."""
    fixed = list(tags)
    for span in spans_of(tags):
        fixed[span.start] = f"B-{span.kind}"
    return fixed


def span_scores(wanted: Sequence[Sequence[str]], given: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return precision, recall and F1 of spans in percent: one is right if its words and its type are.

    Args:
        wanted, given: tags of each sentence.
    """
    pairs = [(set(spans_of(one)), set(spans_of(other))) for one, other in zip(wanted, given, strict=True)]
    right = sum(len(true & found) for true, found in pairs)
    true, found = (sum(len(pair[i]) for pair in pairs) for i in range(2))
    precision, recall = (100 * right / total if total else 0.0 for total in (found, true))
    both = precision + recall
    return {"F1": 2 * precision * recall / both if both else 0.0, "precision": precision, "recall": recall}
