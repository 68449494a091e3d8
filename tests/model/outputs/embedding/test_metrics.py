"""Recall and ranks of retrieval, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from omninet.model.outputs.embedding import metrics
from omninet.model.outputs.embedding.metrics import (
    Ranks,
    Vectors,
    image_to_text_ranks,
    retrieval_metrics,
    text_to_image_ranks,
)

OWNERS = np.array([0, 0, 1, 1, 2, 2])


def vectors(*rows: tuple[float, ...]) -> Vectors:
    return np.array(rows, dtype=np.float32)


IMAGES = vectors((1, 0, 0), (0, 1, 0), (0, 0, 1))
# Scores of the texts for the three photos are the texts themselves.
TEXTS = vectors((0.9, 0.1, 0), (0.2, 0.8, 0.1), (0, 0.7, 0.3), (0.6, 0.5, 0.4), (0.95, 0.3, 0.1), (0.5, 0.6, 0.2))


def test_ranks_of_photos() -> None:
    assert text_to_image_ranks(IMAGES, TEXTS, OWNERS).tolist() == [1, 2, 1, 2, 3, 3]


def test_ranks_of_the_best_right_text() -> None:
    # Photo 0: 0.9 is below 0.95 of a wrong text. Photo 1: 0.7 is below 0.8. Photo 2: 0.2 is below 0.3 and 0.4.
    assert image_to_text_ranks(IMAGES, TEXTS, OWNERS).tolist() == [2, 2, 3]


def test_summary() -> None:
    found = retrieval_metrics(IMAGES, TEXTS, OWNERS)

    assert found == {
        "text-to-image R@1": pytest.approx(100 / 3),
        "text-to-image R@5": 100,
        "text-to-image R@10": 100,
        "text-to-image median rank": 2,
        "image-to-text R@1": 0,
        "image-to-text R@5": 100,
        "image-to-text R@10": 100,
        "image-to-text median rank": 2,
    }


def test_several_right_texts_do_not_push_one_another_back() -> None:
    texts = vectors((0.9, 0, 0), (0.8, 0, 0), (0.7, 0, 0), (0, 1, 0), (0, 0, 1))

    assert image_to_text_ranks(IMAGES, texts, np.array([0, 0, 0, 1, 2])).tolist() == [1, 1, 1]


def test_equal_embeddings_earn_nothing() -> None:
    images, texts = np.ones((3, 4), np.float32), np.ones((6, 4), np.float32)

    assert text_to_image_ranks(images, texts, OWNERS).tolist() == [3] * 6
    assert image_to_text_ranks(images, texts, OWNERS).tolist() == [5] * 3


@pytest.mark.parametrize("scores", [1, 7, 40, 2**24])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, scores: int) -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(20, 8)).astype(np.float32)
    owners = np.repeat(np.arange(20), 5)
    texts = (images[owners] + generator.normal(size=(100, 8))).astype(np.float32)
    whole = texts @ images.T
    by_hand = [1 + sum(row > row[owner]) for row, owner in zip(whole, owners, strict=True)]
    monkeypatch.setattr(metrics, "SCORES", scores)

    assert text_to_image_ranks(images, texts, owners).tolist() == by_hand
    best = [max(whole[owners == i, i]) for i in range(20)]
    wanted = [1 + sum(whole[owners != i, i] > best[i]) for i in range(20)]
    assert image_to_text_ranks(images, texts, owners).tolist() == wanted


@pytest.mark.parametrize(
    ("images", "texts", "owners", "message"),
    [
        (IMAGES, TEXTS[:, :2], OWNERS, "do not fit"),
        (IMAGES, TEXTS, OWNERS[:5], "do not fit"),
        (IMAGES, TEXTS, np.array([0, 0, 1, 1, 1, 1]), "every photo needs a text"),
        (IMAGES, TEXTS, np.array([0, 0, 1, 1, 2, 3]), "every text a photo"),
        (IMAGES[:0], TEXTS[:0], OWNERS[:0], "every photo needs a text"),
        (IMAGES * np.float32(np.nan), TEXTS, OWNERS, "not finite"),
    ],
)
def test_what_cannot_be_measured(images: Vectors, texts: Vectors, owners: Ranks, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(images, texts, owners)
