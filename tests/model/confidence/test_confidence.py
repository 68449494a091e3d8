"""Confidence: log-odds, logistic function, words of a picture's captions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omninet.model.confidence.confidence import Confidence, WordPresence, log_odds, words_of


@pytest.mark.parametrize("probability", [0.001, 0.25, 0.5, 0.9, 0.999])
def test_log_odds(probability: float) -> None:
    assert log_odds(math.log(probability)) == pytest.approx(math.log(probability / (1 - probability)))


@pytest.mark.parametrize(("log_probability", "expected"), [(0.0, 30.0), (1e-9, 30.0), (-1e9, -30.0)])
def test_log_odds_are_finite(log_probability: float, expected: float) -> None:
    assert log_odds(log_probability) == expected


def test_confidence_is_a_logistic_function_of_the_evidence() -> None:
    confidence = Confidence(slope=2.0, offset=-1.0, threshold=0.5)

    assert confidence.of(0.5) == 0.5
    assert confidence.of(1.5) == pytest.approx(1 / (1 + math.exp(-2)))
    assert 0 < confidence.of(-1e9) < 1e-9


@pytest.fixture
def presence() -> WordPresence:
    """Probabilities of 0.5 for dog and 0.75 for ball at the state (1, 0)."""
    weight = np.array([[0.0, 5.0], [math.log(3), 7.0]], np.float16)
    return WordPresence(("dog", "ball"), weight, np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("A dog sleeps.", 0.5),
        ("a Ball", 0.75),
        ("A dog and a ball", 1 - 0.5 * 0.25),
        ("a dog, a dog and a dog", 0.5),
    ],
)
def test_any_noun_of_a_caption_is_enough(presence: WordPresence, text: str, probability: float) -> None:
    expected = math.log(probability / (1 - probability))
    assert presence.log_odds(text, np.array([1.0, 0.0])) == pytest.approx(expected, abs=2e-3)


def test_a_caption_without_a_known_noun_is_never_right(presence: WordPresence) -> None:
    assert presence.log_odds("Something", np.array([1.0, 0.0])) == -30


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words_of("A Dog's T-shirt, 2 cups .") == ["a", "dog's", "t-shirt", "2", "cups"]
