"""Metrics of retrieval: recall at 1, 5 and 10 and median rank, in both directions. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from omninet.model.outputs.base import Metrics

Vectors = NDArray[np.float32]
Ranks = NDArray[np.int64]

CUTOFFS = (1, 5, 10)
SCORES = 2**24  # maximum number of scores in memory at once: 64 MB in float32


def retrieval_metrics(images: Vectors, texts: Vectors, owners: Ranks) -> Metrics:
    """Compute recall in percent and median rank of image-to-text and text-to-image retrieval, by dot product.

    A text has one right photo. A photo has several right texts and counts by the best of them, as usual for Flickr8k
    (Hodosh et al. 2013) and COCO (Karpathy, Fei-Fei 2015).

    Args:
        images: (photos, d) embeddings.
        texts: (texts, d) embeddings.
        owners: (texts,) row in ``images`` of the photo that each text describes.

    Raises:
        ValueError: shapes do not fit, a photo has no text, or an embedding is not finite.
    """
    _check(images, texts, owners)
    return {
        **_summary("text-to-image", text_to_image_ranks(images, texts, owners)),
        **_summary("image-to-text", image_to_text_ranks(images, texts, owners)),
    }


def text_to_image_ranks(images: Vectors, texts: Vectors, owners: Ranks) -> Ranks:
    """Return the rank of each text's photo among all photos, 1 is best: (texts,); for arguments see above.

    Photos that tie with the right one count as better, so that equal embeddings of everything earn nothing.
    """
    found = [np.empty(0, np.int64)]
    for rows in _blocks(len(texts), len(images)):
        scores = texts[rows] @ images.T
        right = np.take_along_axis(scores, owners[rows, None], axis=1)
        found.append((scores >= right).sum(axis=1))
    return np.concatenate(found)


def image_to_text_ranks(images: Vectors, texts: Vectors, owners: Ranks) -> Ranks:
    """Return the rank of each photo's best right text among all wrong texts, 1 is best: (photos,).

    Wrong texts that tie with the best right one count as better.
    """
    found = [np.empty(0, np.int64)]
    photos = np.arange(len(images))
    for rows in _blocks(len(images), len(texts)):
        scores = images[rows] @ texts.T
        is_right = owners == photos[rows, None]
        best = np.where(is_right, scores, -np.inf).max(axis=1, keepdims=True)
        found.append(1 + ((scores >= best) & ~is_right).sum(axis=1))
    return np.concatenate(found)


def recall(ranks: Ranks, cutoff: int) -> float:
    """Return the share in percent of the ranks that are at most ``cutoff``."""
    return float(100 * (ranks <= cutoff).mean())


def _summary(direction: str, ranks: Ranks) -> Metrics:
    found = {f"{direction} R@{cutoff}": recall(ranks, cutoff) for cutoff in CUTOFFS}
    return found | {f"{direction} median rank": float(np.median(ranks))}


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of the rows of a score matrix, each with at most SCORES scores and at least one row."""
    size = max(1, SCORES // max(1, columns))
    return (slice(start, start + size) for start in range(0, rows, size))


def _check(images: Vectors, texts: Vectors, owners: Ranks) -> None:
    if not (images.ndim == texts.ndim == 2 and images.shape[1:] == texts.shape[1:] and owners.shape == texts.shape[:1]):
        raise ValueError(f"embeddings {images.shape} and {texts.shape} do not fit owners {owners.shape}")
    if len(images) == 0 or not np.array_equal(np.unique(owners), np.arange(len(images))):
        raise ValueError("every photo needs a text, and every text a photo")
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise ValueError("an embedding is not finite")
