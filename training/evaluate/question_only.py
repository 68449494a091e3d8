"""Question-only baseline: a linear classifier that answers visual questions without seeing the photo.

A network that is not better than this baseline makes no use of the photos.
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

QUESTIONS = 30_000  # maximum number of training questions
FEATURES = 10_000  # most frequent words and bigrams
ANSWERS = 1_000  # most frequent answers
SEEN = 2  # minimum number of occurrences of a word or bigram
STEPS = 60
RATE = 0.1
DECAY = 1e-4  # L2 regularisation
SHOWN = 5  # answers returned per question


def answer_questions(train: Sequence[Example], examples: Sequence[Example]) -> list[list[tuple[str, float]]]:
    """Return the most likely answers to each question of ``examples``, with probabilities, learnt from ``train``.

    Logistic regression on words and bigrams, initialised at zero, so it is deterministic.
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
    """Fit the regression; return weights (features, classes) and bias (classes)."""
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
    """Return word or bigram -> column."""
    counts = Counter(term for e in examples for term in terms(e.question or ""))
    frequent = Counter({term: count for term, count in counts.items() if count >= SEEN})
    return {term: i for i, term in enumerate(_most_common(frequent, FEATURES))}


def _bags(examples: Sequence[Example], features: Mapping[str, int]) -> Tensor:
    """Return binary bag-of-words features, sparse (examples, features)."""
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
    """Return the lower-case words and bigrams of a question, including bigrams with its beginning and end."""
    words = ["<", *re.findall(r"\w+", question.lower()), ">"]
    return {*words[1:-1], *map(" ".join, pairwise(words))}


def _most_common(counts: Counter[str], limit: int) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))[:limit]
