"""Scores of prefixes against the sum over all alignments, and their share in the search."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from omninet.model.decoding.alignment import NEVER, PrefixScores, following_all
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.search import Search, add_alignments

STEPS, CLASSES, END = 5, 4, 0


def log_probabilities(seed: int = 0) -> np.ndarray:
    scores = np.random.default_rng(seed).standard_normal((STEPS, CLASSES))
    found: np.ndarray = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return found


def texts(steps: np.ndarray) -> dict[tuple[int, ...], float]:
    """Return each text -> its log-probability, summed over all alignments one by one."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(CLASSES), repeat=STEPS):
        text = tuple(k for k, _ in itertools.groupby(path) if k != END)
        found[text] = float(np.logaddexp(found.get(text, -math.inf), steps[range(STEPS), path].sum()))
    return found


@pytest.mark.parametrize("text", [(), (3,), (1, 1, 2), (2, 3, 2), (1, 1, 1)])
def test_scores_are_sums_over_all_alignments(text: tuple[int, ...]) -> None:
    steps = log_probabilities()
    every, scores, total = texts(steps), PrefixScores(steps, END), 0.0

    for i in range(len(text) + 1):
        added = scores.following(text[:i])
        for token in range(1, CLASSES):
            prefix = (*text[:i], token)
            longer = [value for known, value in every.items() if known[: i + 1] == prefix]
            wanted = float(np.logaddexp.reduce(longer)) if longer else NEVER
            assert max(total + added[token], NEVER / 2) == pytest.approx(max(wanted, NEVER / 2))
        assert total + added[END] == pytest.approx(every[text[:i]])
        total += float(added[text[i]]) if i < len(text) else 0.0


def test_prefixes_of_several_recordings_are_scored_together() -> None:
    alignments = [PrefixScores(log_probabilities(seed)[: STEPS - seed], END) for seed in range(3)]
    alone = [PrefixScores(log_probabilities(seed)[: STEPS - seed], END) for seed in range(3)]
    for prefixes in ([(), (), ()], [(1,), (2,), (3,)], [(1, 1), (2, 3), (3, 3)]):
        together = following_all(list(zip(alignments, prefixes, strict=True)))
        np.testing.assert_allclose(together, [one.following(p) for one, p in zip(alone, prefixes, strict=True)])


def test_a_text_longer_than_its_recording_is_impossible() -> None:
    scores = PrefixScores(log_probabilities()[:2], END)
    for prefix in ((), (1,), (1, 2)):
        added = scores.following(prefix)

    assert (added[1:] < NEVER / 2).all()
    assert np.isfinite(added).all()


def test_the_search_takes_a_weighted_mean() -> None:
    steps = log_probabilities()
    search, plain = Search(Goal("speech", 9, END, beams=2, aligned=0.25)), Search(Goal("text", 9, END, beams=2))
    search.alignment = PrefixScores(steps, END)
    scores = torch.log_softmax(torch.randn(3, 2, CLASSES, generator=torch.Generator().manual_seed(0)), -1)

    mixed = add_alignments(scores, [plain, None, search])

    assert torch.equal(mixed[:2], scores[:2])
    wanted = 0.75 * scores[2, 0] + 0.25 * torch.from_numpy(PrefixScores(steps, END).following(())).float()
    torch.testing.assert_close(mixed[2, 0], wanted)
    assert add_alignments(scores, [plain, None, None]) is scores
