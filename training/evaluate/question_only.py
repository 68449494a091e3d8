"""What the question alone tells of the answer: a linear classifier that never sees a photo.

A network that does no better than this does not look.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from omninet.training.data import Example, thinned

QUESTIONS = 30_000  # most that are learnt from
FEATURES = 10_000  # words and pairs of words, the most frequent
ANSWERS = 1_000  # likewise
SEEN = 2  # times that a word or a pair must occur
STEPS = 60
RATE = 0.1
DECAY = 1e-4  # weight of the squared weights
SHOWN = 5  # candidates of an answer


def answer_questions(train: Sequence[Example], examples: Sequence[Example]) -> list[list[tuple[str, float]]]:
    """The likeliest answers to each question of ``examples``, with probabilities, learnt from those of ``train``.

    Logistic regression on the words of a question and the pairs of them; it begins at zero, so nothing is drawn.
    """
    learnt = [e for e in thinned(train, QUESTIONS) if e.question]
    answers = _most_common(Counter(e.answer for e in learnt), ANSWERS)
    ids = {answer: i for i, answer in enumerate(answers)}
    learnt = [e for e in learnt if e.answer in ids]
    features = _features(learnt)
    inputs, targets = _bags(learnt, features), torch.tensor([ids[e.answer] for e in learnt])
    weights, bias = _fit(inputs, targets, len(answers))
    probabilities = (torch.sparse.mm(_bags(examples, features), weights) + bias).softmax(-1)
    best = probabilities.topk(min(SHOWN, len(answers)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [[(answers[i], value) for i, value in zip(places, values, strict=True)] for places, values in pairs]


def _fit(inputs: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Weights (features, classes) and bias (classes) of the regression."""
    weights = torch.zeros(inputs.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias], RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = F.cross_entropy(torch.sparse.mm(inputs, weights) + bias, targets) + DECAY * weights.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return weights.detach(), bias.detach()


def _features(examples: Sequence[Example]) -> dict[str, int]:
    """Word or pair -> its column."""
    counts = Counter(term for e in examples for term in terms(e.question or ""))
    frequent = Counter({term: count for term, count in counts.items() if count >= SEEN})
    return {term: i for i, term in enumerate(_most_common(frequent, FEATURES))}


def _bags(examples: Sequence[Example], features: Mapping[str, int]) -> Tensor:
    """Which terms occur, sparse (examples, features)."""
    cells = [
        (row, features[term])
        for row, e in enumerate(examples)
        for term in sorted(terms(e.question or ""))
        if term in features
    ]
    places = torch.tensor(cells, dtype=torch.long).view(-1, 2).T
    return torch.sparse_coo_tensor(
        places, torch.ones(len(cells)), (len(examples), len(features)), check_invariants=True
    ).coalesce()


def terms(question: str) -> set[str]:
    """Words and pairs of neighbours, in lower case; the ends count as neighbours."""
    words = ["<", *re.findall(r"\w+", question.lower()), ">"]
    return {*words[1:-1], *map(" ".join, pairwise(words))}


def _most_common(counts: Counter[str], limit: int) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))[:limit]
