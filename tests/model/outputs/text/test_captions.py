"""ROUGE-L and CIDEr against values worked out by hand, and the two kinds of tokens."""

from __future__ import annotations

import logging

import pytest

from omninet.model.outputs.text import java
from omninet.model.outputs.text.captions import score, score_official
from tests.model.outputs.text.test_java import needs_java

NAMES = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]


def test_rouge_of_one_pair() -> None:
    # The longest common subsequence is "the cat sat on mat": 5 of 6 words, precision and recall alike.
    assert score(["the cat sat on the mat"], [["the cat sat on a mat"]])["ROUGE-L"] == pytest.approx(100 * 5 / 6)


def test_rouge_weighs_recall_by_beta() -> None:
    # Precision 1, recall 1/2, beta 1.2: (1 + 1.44) * 0.5 / (0.5 + 1.44).
    found = score(["a dog"], [["a dog runs fast"]])

    assert found["ROUGE-L"] == pytest.approx(100 * 2.44 * 0.5 / 1.94)


def test_cider_is_the_mean_of_cosines_times_ten() -> None:
    references = [["a dog runs fast"], ["two men sit there"]]

    # The first is all right (10), the second shares nothing (0); published values are a hundredfold.
    assert score(["a dog runs fast", "red blue green grey"], references)["CIDEr"] == pytest.approx(500)


def test_cider_of_too_short_captions_has_no_fours() -> None:
    # Three words have 1-, 2- and 3-grams, but no 4-grams: three quarters.
    assert score(["a dog runs", "two men sit"], [["a dog runs"], ["two men sit"]])["CIDEr"] == pytest.approx(750)


def test_words_of_all_pictures_say_nothing_to_cider() -> None:
    # "it is" stands in both references: its weight is log(2/2) = 0, so the second caption's only words count nothing.
    references = [["it is red"], ["it is blue"]]

    assert score(["it is red", "it is"], references)["CIDEr"] == pytest.approx(750 / 2)


def test_plain_tokens_on_both_sides() -> None:
    found = score(["A dog, running fast!"], [["a dog running fast ."]])

    assert list(found) == NAMES
    assert [found[name] for name in NAMES[:5]] == pytest.approx([100] * 5)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    score(["a dog"], [["a cat"]])

    assert capfd.readouterr() == ("", "")


@needs_java
@pytest.mark.slow
def test_official_tokens_and_meteor() -> None:
    # The tokeniser splits "isn't" into "is n't"; plain tokens are "isn t", so they give other numbers.
    written, references = ["it isn't here at all"], [["it is n't here at all"]]

    found = score_official(written, references)

    assert list(found) == [f"{name}, PTB tokens" for name in [*NAMES, "METEOR"]]
    assert found["BLEU-4, PTB tokens"] == pytest.approx(100)
    assert found["METEOR, PTB tokens"] == pytest.approx(100)
    assert score(written, references)["BLEU-4"] < 99


def test_without_java_there_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(java, "JAVA", ("no-such-java",))

    with caplog.at_level(logging.WARNING):
        assert score_official(["a dog"], [["a dog"]]) == {}

    assert "METEOR and the scores on PTB tokens are left out: the PTB tokeniser failed" in caplog.text
