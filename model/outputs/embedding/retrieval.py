"""Retrieval among embedded examples: groups photos and texts, and ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from omninet.model.outputs.base import Metrics
from omninet.model.outputs.embedding.metrics import retrieval_metrics

HEADLINE = "text-to-image R@10"


class Described(NamedTuple):
    """Ground truth of an embedded input: the photo that it is, or that it describes."""

    kind: str  # image or text
    photo: str


def retrieval(truths: Sequence[Described], vectors: Sequence[Sequence[float]]) -> Metrics:
    """Compute recall and median rank in both directions, of the photos that have texts; empty without any.

    Args:
        truths: what each vector is.
        vectors: unit vectors of equal width.
    """
    described = {truth.photo for truth in truths if truth.kind == "text"}
    photos = [i for i, truth in enumerate(truths) if truth.kind == "image" and truth.photo in described]
    rows = {truths[i].photo: row for row, i in enumerate(photos)}
    texts = [i for i, truth in enumerate(truths) if truth.kind == "text" and truth.photo in rows]
    if not texts:
        return {}
    matrix = np.asarray(vectors, np.float32)
    owners = np.array([rows[truths[i].photo] for i in texts])
    found = retrieval_metrics(matrix[photos], matrix[texts], owners)
    return {HEADLINE: found.pop(HEADLINE)} | found
