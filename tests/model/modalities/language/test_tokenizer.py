"""Tests of the subword tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from bpemb import BPEmb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omninet.model.modalities.language.tokenizer import Tokenizer
from tests.conftest import SENTENCES


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file: Path) -> Tokenizer:
    return Tokenizer(tokenizer_file, lower_case=False)


@pytest.mark.parametrize("lower_case", [False, True])
@given(texts=st.lists(st.text(max_size=20) | st.sampled_from(["A dog", "1,234 DOGS", "٣", "İ"]), max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_subwords_are_those_of_bpemb(tokenizer_file: Path, lower_case: bool, texts: list[str]) -> None:
    bpemb = BPEmb(model_file=tokenizer_file, segmentation_only=True, lang="en", preprocess=lower_case)
    tokenizer = Tokenizer(tokenizer_file, lower_case)
    wanted = [ids or [tokenizer.unknown] for ids in (bpemb.encode_ids(texts) if texts else [])]

    assert tokenizer.encode(texts).tokens[1:-1].tolist() == [i for ids in wanted for i in ids]
    assert [tokenizer.encode_output(text)[:-1] for text in texts] == [bpemb.encode_ids(text) for text in texts]


def test_subwords_are_numbered_by_word(tokenizer: Tokenizer) -> None:
    words = ["A", "dog", "runs", "through", "Zürich"]

    encoded = tokenizer.encode(words)

    numbers = encoded.words.tolist()
    assert encoded.tokens[0] == tokenizer.begin
    assert encoded.tokens[-1] == tokenizer.end
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert numbers[-1] == len(words) + 1
    assert set(numbers) == set(range(len(words) + 2))
    first = encoded.tokens[(encoded.words == 2)].tolist()
    assert "".join(tokenizer.pieces(first)) == "dog"


def test_every_word_has_a_subword(tokenizer: Tokenizer) -> None:
    # A space of no width and a control character have no subword at all.
    encoded = tokenizer.encode(["dog", "\u200b", "\x00", "runs"])

    assert set(encoded.words.tolist()) == {0, 1, 2, 3, 4, 5}
    assert tokenizer.unknown in encoded.tokens.tolist()


def test_a_text_without_words(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode([])

    assert encoded.tokens.tolist() == [tokenizer.begin, tokenizer.end]
    assert encoded.words.tolist() == [0, 1]


@pytest.mark.parametrize("sentence", SENTENCES.splitlines())
def test_output_round_trip(tokenizer: Tokenizer, sentence: str) -> None:
    ids = tokenizer.encode_output(sentence)

    assert ids[-1] == tokenizer.end
    assert tokenizer.end not in ids[:-1]
    texts = tokenizer.pieces(ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == sentence


def test_case_and_digits_are_kept_unless_asked_for(tokenizer: Tokenizer, tokenizer_file: Path) -> None:
    plain = Tokenizer(tokenizer_file, lower_case=True)

    assert "".join(tokenizer.pieces(tokenizer.encode_output("New York 1998"))) == "New York 1998"
    assert plain.encode(["New", "1998"]).tokens.tolist() == tokenizer.encode(["new", "0000"]).tokens.tolist()
    assert tokenizer.encode(["New"]).tokens.tolist() != tokenizer.encode(["new"]).tokens.tolist()


def test_control_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.pieces([tokenizer.begin, *tokenizer.encode_output("A dog")])[0] == ""
    assert tokenizer.pieces([tokenizer.end]) == [""]
    assert tokenizer.pieces([]) == []
    assert len(tokenizer) == 120


def test_halves_spell_the_whole(tokenizer: Tokenizer) -> None:
    whole = tokenizer.encode(["She", "sells", "shells"]).tokens.tolist()
    several = [token for token in whole if tokenizer.halves(token)]
    assert several
    for token in several:
        # A space stands for the beginning of a word, and is not shown at the beginning of a text.
        (text,) = tokenizer.pieces([token])
        assert {"".join(tokenizer.pieces(pair)) for pair in tokenizer.halves(token)} == {text}
    assert tokenizer.halves(tokenizer.begin) == tokenizer.halves(tokenizer.unknown) == []
