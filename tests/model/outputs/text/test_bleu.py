"""BLEU-4, against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from omninet.model.outputs.text.bleu import Bleu, best_constant, bleu4, normalise


def test_a_perfect_caption() -> None:
    assert bleu4(["a dog runs over the grass"], [["a dog runs over the grass"]]) == pytest.approx(100)


def test_precisions_of_one_pair() -> None:
    # the cat sat on the mat / the cat sat on a mat: 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours.
    expected = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25

    assert bleu4(["the cat sat on the mat"], [["the cat sat on a mat"]]) == pytest.approx(expected)


def test_words_count_no_more_often_than_in_a_reference() -> None:
    # Papineni's "the the the ...": two of seven, but of pairs none.
    assert bleu4(["the the the the the the the"], [["the cat is on the mat"]]) == pytest.approx(0, abs=0.01)


def test_a_short_caption_is_penalised() -> None:
    # All n-grams are right; 5 words against 8.
    assert bleu4(["a dog runs over the"], [["a dog runs over the grass very fast"]]) == pytest.approx(
        100 * math.exp(1 - 8 / 5)
    )


def test_the_nearest_reference_sets_the_length_and_all_give_n_grams() -> None:
    references = ["a dog runs over the grass very fast today", "one dog runs over the field"]

    # "a dog runs over the field": six words as the second; words 6/6, pairs 5/5, triples 4/4, fours 3/3.
    assert bleu4(["a dog runs over the field"], [references]) == pytest.approx(100)


def test_counts_are_summed_over_the_corpus() -> None:
    hypotheses = ["the cat sat on the mat", "a dog runs over the grass"]
    references = [["the cat sat on a mat"], ["a dog runs over the grass"]]

    expected = 100 * (11 / 12 * 8 / 10 * 6 / 8 * 4 / 6) ** 0.25
    assert bleu4(hypotheses, references) == pytest.approx(expected)


def test_pictures_may_have_different_numbers_of_references() -> None:
    references = [["a b c d e"], ["x", "f g h i j"]]

    assert bleu4(["a b c d e", "f g h i j"], references) == pytest.approx(100)


def test_all_four_of_one_pair() -> None:
    # The precisions of above, one after the other.
    wanted = [
        5 / 6,
        (5 / 6 * 3 / 5) ** (1 / 2),
        (5 / 6 * 3 / 5 * 2 / 4) ** (1 / 3),
        (5 / 6 * 3 / 5 * 2 / 4 / 3) ** 0.25,
    ]

    scores = Bleu([["the cat sat on a mat"]]).scores(["the cat sat on the mat"])

    assert scores == pytest.approx([100 * value for value in wanted])


def test_references_serve_several_systems() -> None:
    bleu = Bleu([["a b c d e"], ["f g h i j"]])

    assert bleu.scores(["a b c d e", "f g h i j"])[3] == pytest.approx(100)
    assert bleu.scores(["a b c d e", "k l m n o"])[0] == pytest.approx(50)
    assert bleu.scores(["a b c d e", "f g h i j"])[3] == pytest.approx(100)


def test_between_two_equally_near_lengths_the_shorter_counts() -> None:
    # Five words between four and six: compared with four, nothing is missing.
    assert bleu4(["a b c d x"], [["a b c d", "a b c d e f"]]) == pytest.approx(
        100 * (4 / 5 * 3 / 4 * 2 / 3 / 2) ** 0.25
    )


def test_case_and_punctuation_do_not_count() -> None:
    assert normalise("A dog, running ; it's  fast .") == "a dog running it s fast"
    assert bleu4(["A dog runs over grass ."], [["a dog runs over grass"]]) == pytest.approx(100)


def test_the_best_constant_is_the_one_that_scores_highest() -> None:
    references = [["a dog runs over the grass"], ["a dog runs over the field"], ["a man sits on a bench"]]
    candidates = ["a man sits on a bench", "A dog runs over the grass .", "nothing of the sort here", "hat"]

    caption, score = best_constant(candidates, references)

    assert caption == "a dog runs over the grass"
    assert score == pytest.approx(bleu4([caption] * 3, references))
    assert all(score >= bleu4([normalise(c)] * 3, references) for c in candidates)
