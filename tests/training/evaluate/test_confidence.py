"""Fitting of confidences: Platt scaling, thresholds, presence of words, and the whole command's part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omninet.model.confidence.confidence import Confidence
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.confidence import (
    HELD,
    Judged,
    OneSidedError,
    calibration_error,
    confidences,
    fit_confidence,
    section,
    threshold,
)
from omninet.training.evaluate.nouns import Tagger, usual_nouns
from omninet.training.evaluate.platt import platt
from omninet.training.evaluate.presence import fit_presence, logistic_regression


@pytest.fixture
def judged() -> Judged:
    """Return 20,000 answers that are right with the probability 1 / (1 + exp(-(2 x - 1)))."""
    generator = np.random.default_rng(0)
    evidence = generator.normal(size=20_000)
    right = generator.random(20_000) < 1 / (1 + np.exp(1 - 2 * evidence))
    return Judged([[value] for value in evidence], right)


def fitted(judged: Judged) -> tuple[float, float]:
    return platt(np.array([value for (value,) in judged.evidence]), judged.right)


def test_platt_scaling_finds_the_logistic_function(judged: Judged) -> None:
    slope, offset = fitted(judged)

    assert slope == pytest.approx(2, abs=0.06)
    assert offset == pytest.approx(-1, abs=0.05)


def test_separable_answers_have_a_finite_slope() -> None:
    slope, _ = platt(np.array([-1.0, 1.0] * 10), np.array([False, True] * 10))

    assert 0 < slope < 100


def test_fitted_confidences_are_calibrated(judged: Judged) -> None:
    values = confidences(Confidence(*fitted(judged), threshold=0.5), judged)

    assert calibration_error(values, judged.right) < 0.02
    assert calibration_error(np.sqrt(values), judged.right) > 0.1


def test_below_the_threshold_are_enough_wrong_answers(judged: Judged) -> None:
    values = confidences(Confidence(*fitted(judged), threshold=0.5), judged)

    found = threshold(values, judged.right)

    below, wrong = values < found, ~judged.right
    assert wrong[below].mean() >= 0.5
    assert below[wrong].mean() >= HELD
    assert found == 0.5  # these answers are wrong so often that the least threshold holds enough of them


def test_the_threshold_rises_where_few_answers_are_wrong() -> None:
    values = np.array([0.55] * 10 + [0.95] * 90)
    right = np.array([False] * 6 + [True] * 4 + [False] * 5 + [True] * 85)

    assert threshold(values, right) == 0.551


def test_at_least_half_of_the_answers_below_are_wrong() -> None:
    values = np.array([0.3] * 4 + [0.8] * 96)
    right = np.array([False] * 4 + [False] * 20 + [True] * 76)

    assert threshold(values, right) == 0.8


def test_equal_answers_cannot_be_calibrated(predictor: Predictor) -> None:
    examples = [Example("pos", {"tokens": ("A", "dog")}, tags=("XX", "XX"))] * 4

    with pytest.raises(OneSidedError, match="right and wrong answers"):
        fit_confidence(predictor, examples, Tagger(predictor), None)


def test_confidences_of_labels(predictor: Predictor, data: Path) -> None:
    folder = data / "daquar" / "images"
    pictures = [folder / f"image{i}.jpg" for i in range(4)]
    given = [predictor.predict("vqa", image=path, question="what ?") for path in pictures]
    labels = [answer.label for answer in given]  # type: ignore[attr-defined]
    examples = [
        Example("vqa", {"image": path, "question": "what ?"}, answer=label if i % 4 < 2 else "wrong")
        for i, (path, label) in enumerate(zip(pictures * 2, labels * 2, strict=True))
    ]

    report = fit_confidence(predictor, examples, Tagger(predictor), None)

    assert report.task == "vqa"
    assert report.count == 4
    assert 0 <= report.confidence.threshold <= 1
    assert "| vqa | " in section([report], "a command")


def test_logistic_regressions_are_independent() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4000, 2, generator=generator)
    scores = torch.stack([3 * features[:, 0], -2 * features[:, 1] - 1], 1)
    targets = (torch.rand(4000, 2, generator=generator) < torch.sigmoid(scores)).float()

    weight, bias = logistic_regression(features, targets)

    assert weight.sign().tolist()[0][0] == 1
    assert abs(float(weight[0, 0])) > 5 * abs(float(weight[0, 1]))
    assert abs(float(weight[1, 1])) > 5 * abs(float(weight[1, 0]))
    assert float(bias[1]) < -0.5


def test_without_common_nouns_there_is_no_presence(predictor: Predictor, data: Path) -> None:
    photo = next((data / "flickr8k" / "Flicker8k_Dataset").glob("*.jpg"))
    example = Example("caption", {"image": photo}, captions=("A dog .",))

    assert fit_presence(predictor, [example] * 4, Fixed({"dog"})) is None


def test_usual_nouns_are_nouns_in_most_texts() -> None:
    texts = ["A dog has a ball", "A dog runs", "A cat", "Dog, ball, run!", "He runs", "She runs"]
    nouns = [{"dog", "ball"}, {"dog", "runs"}, {"cat"}, {"dog", "ball"}, {"runs"}, set[str]()]

    assert usual_nouns(texts, nouns, 2, 0.7) == ("dog", "ball")
    assert usual_nouns(texts, nouns, 2, 0.6) == ("dog", "ball", "runs")


def test_presence_reads_the_state_that_serving_returns(predictor: Predictor, data: Path) -> None:
    photos = sorted((data / "flickr8k" / "Flicker8k_Dataset").glob("*.jpg"))[:4]
    captions = ("A dog is in the grass .", "A ball lies in the grass .")
    examples = [Example("caption", {"image": path}, captions=(captions[i % 2],)) for i, path in enumerate(photos * 6)]
    tagger = Fixed({"dog", "ball", "grass"})

    presence = fit_presence(predictor, examples, tagger)

    assert presence is not None
    assert set(presence.words) == {"dog", "ball", "grass"}
    predictor.confidences["caption"] = Confidence(1.0, 0.0, 0.5, presence)
    job = predictor.prepare("caption", image=photos[0])
    (decoded,) = predictor.run(job.rows)
    assert decoded.pooled is not None
    always = presence.log_odds("grass", decoded.pooled)
    assert always > 2
    assert presence.log_odds("dog", decoded.pooled) > presence.log_odds("ball", decoded.pooled)


class Fixed(Tagger):
    """A tagger that knows its nouns."""

    def __init__(self, nouns: set[str]) -> None:
        self._nouns = nouns

    def nouns(self, texts: object) -> list[set[str]]:
        return [self._nouns & set(text.lower().split()) for text in texts]  # type: ignore[attr-defined]
