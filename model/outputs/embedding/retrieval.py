"""Measures of retrieval: recall at 1, 5 and 10, and the median rank, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

CUTS = (1, 5, 10)
BLOCK = 1024  # queries that are compared with everything at once, to bound memory


class Described(NamedTuple):
    """Ground truth of an embedded input: the photo that it is, or that it describes."""

    kind: str  # image or text
    photo: str


def retrieval_metrics(truths: Sequence[Described], vectors: Sequence[Sequence[float]]) -> dict[str, float]:
    """Compute text-to-image and image-to-text recall, in percent, and median ranks.

    A text has one right photo; of the texts of a photo the best ranked one counts. Without texts or without photos
    there are no metrics.
    """
    matrix = np.asarray(vectors, np.float32)
    photos = np.unique([truth.photo for truth in truths], return_inverse=True)[1]
    is_photo = np.array([truth.kind == "image" for truth in truths])
    if is_photo.all() or not is_photo.any():
        return {}
    found: dict[str, float] = {}
    for name, queries, gallery in (("text to image", ~is_photo, is_photo), ("image to text", is_photo, ~is_photo)):
        best = ranks(matrix[queries], photos[queries], matrix[gallery], photos[gallery])
        found |= {f"{name} R@{cut}": 100 * float((best <= cut).mean()) for cut in CUTS}
        found[f"{name} median rank"] = float(np.median(best))
    headline = "text to image R@10"
    return {headline: found.pop(headline)} | found


def ranks(queries: np.ndarray, wanted: np.ndarray, gallery: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """Return the rank, from 1, of the best right entry for each query; equally similar wrong entries come first.

    Args:
        queries: unit vectors, (n, d).
        wanted: number of each query's photo, (n,).
        gallery: unit vectors, (m, d).
        photos: number of each entry's photo, (m,).
    """
    return np.concatenate(list(_ranks(queries, wanted, gallery, photos)))


def _ranks(queries: np.ndarray, wanted: np.ndarray, gallery: np.ndarray, photos: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ gallery.T
        right = wanted[start : start + BLOCK, None] == photos
        best = np.where(right, scores, -np.inf).max(1, keepdims=True)
        yield 1 + ((scores >= best) & ~right).sum(1)
