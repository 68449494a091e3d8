"""Word and character error rates, worked out by hand."""

from __future__ import annotations

import pytest

from omninet.model.outputs.transcript.errors import edit_distance, transcript_scores


@pytest.mark.parametrize(
    ("given", "wanted", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("abc", "abc", 0),
        ("bca", "abc", 2),
        (["ONE", "TWO"], ["ONE", "THREE", "TWO"], 1),
    ],
)
def test_edit_distance(given: str, wanted: str, distance: int) -> None:
    assert edit_distance(given, wanted) == distance == edit_distance(wanted, given)


def test_scores_count_over_the_whole_set() -> None:
    scores = transcript_scores(["A B", "C D E", ""], ["A B", "C X E", "F"])

    assert scores == {
        "words right": pytest.approx(100 * 4 / 6),
        "WER": pytest.approx(100 * 2 / 6),
        "CER": pytest.approx(100 * 2 / 9),
        "recordings right": pytest.approx(100 / 3),
    }


def test_insertions_can_make_more_errors_than_words() -> None:
    scores = transcript_scores(["A B C"], ["A"])

    assert (scores["WER"], scores["words right"]) == (200, 0)
