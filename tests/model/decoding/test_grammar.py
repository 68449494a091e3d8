"""Constrained decoding: greedy, beam search and sampling obey the grammar, beside rows without one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.grammar import Grammar, span_tags
from omninet.model.decoding.rules import Rules
from omninet.model.decoding.sampling import Sampling
from omninet.model.decoding.search import Search, mask_forbidden
from omninet.model.network.cnp import CNP
from omninet.model.network.memory import collate
from tests.model.networks import IMAGE, TEXT, Row, numbers, small_cnp

TAGS = ("O", "B-place", "I-place", "B-name", "I-name")
WAYS = {
    "greedy": {},
    "beams": {"beams": 3, "best": 3},
    "drawn": {"sampling": Sampling(3.0, seed=1)},
    "several drawn": {"beams": 3, "best": 3, "sampling": Sampling(3.0, seed=2)},
}


@dataclass(frozen=True)
class Brackets(Grammar):
    """Class 0 opens a bracket, class 1 closes it; all brackets are closed after ``length`` tokens."""

    length: int

    def following(self, prefix: Sequence[int]) -> Collection[int] | None:
        depth, left = prefix.count(0) - prefix.count(1), self.length - len(prefix)
        found = [0] if depth < left else []
        return found + ([1] if depth else [])


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def is_valid(tags: Sequence[str]) -> bool:
    """Whether every I-x follows B-x or I-x."""
    return all(tag[0] != "I" or before in {f"B-{tag[2:]}", tag} for before, tag in pairwise(["O", *tags]))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), way=st.sampled_from(sorted(WAYS)))
def test_spans_begin_with_a_b_tag(seed: int, way: str) -> None:
    cnp = small_cnp().requires_grad_(False)
    cnp.classifiers["pos"].register_parameter("bias", nn.Parameter(2 * numbers(f"bias {seed}", 5), requires_grad=False))
    memory = collate([Row((TEXT,), "pos").encode(cnp), Row((IMAGE,), "pos").encode(cnp)])
    free = Goal("pos", 6)

    held, other = decode(cnp, memory, [Goal("pos", 6, grammar=span_tags(TAGS), **WAYS[way]), free])  # type: ignore[arg-type]

    for tokens in (held.tokens, *(other.tokens for other in held.others)):
        assert is_valid([TAGS[token] for token in tokens])
    assert other.tokens == decode(cnp, Row((IMAGE,), "pos").encode(cnp), [free])[0].tokens


@pytest.mark.parametrize("way", WAYS)
def test_brackets_are_closed(cnp: CNP, way: str) -> None:
    (found,) = decode(cnp, Row((IMAGE,)).encode(cnp), [Goal("caption", 8, grammar=Brackets(8), **WAYS[way])])  # type: ignore[arg-type]

    for tokens in (found.tokens, *(other.tokens for other in found.others)):
        depths = [tokens[:i].count(0) - tokens[:i].count(1) for i in range(9)]
        assert min(depths) == depths[-1] == 0
        assert set(tokens) == {0, 1}


def test_grammar_and_rules_apply_together() -> None:
    search = Search(Goal("pos", 3, end=0, rules=Rules(min_length=1), grammar=span_tags(TAGS)))

    (allowed,) = mask_forbidden(torch.zeros(1, 1, 5), [search])[0].tolist()

    assert [i for i, value in enumerate(allowed) if value == 0] == [1, 3]


def test_rules_that_forbid_all_that_the_grammar_allows_are_ignored() -> None:
    search = Search(Goal("caption", 2, end=0, rules=Rules(min_length=3), grammar=span_tags(["O"])))

    assert mask_forbidden(torch.zeros(1, 1, 2), [search])[0].tolist() == [[0.0, -torch.inf]]


def test_a_grammar_that_allows_no_class_is_an_error() -> None:
    search = Search(Goal("caption", 1, grammar=Brackets(0)))

    with pytest.raises(ValueError, match=r"grammar of task caption allows no class after \[\]"):
        mask_forbidden(torch.zeros(1, 1, 3), [search])


@pytest.mark.parametrize("name", ["X", "B-", "C-name", "I"])
def test_a_name_that_is_not_a_bio_tag(name: str) -> None:
    with pytest.raises(ValueError, match="is not a BIO tag"):
        span_tags(["O", name])
