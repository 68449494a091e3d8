"""Sentences, words and subwords."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omninet.model.modalities.language.tokenizer import Span, Tokenizer, sentence_spans, word_spans
from tests.conftest import SENTENCES

PIECES = [
    *('"', "''", "``", "“", "”", "‘", "’", "«", "»", ".", "!", "?", "…", "。", ",", ";", ":", "(", ")", "[", "—", "--"),
    *(" ", "  ", "\n", "\t", "\x1c", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff", "\r\n", "\x00"),
    *("a", "B", "word", "Mr.", "don't", "cannot", "U.S.", "e.g.", "日本", "é", "😀", "$5.00", "&amp;", "1)"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file: Path) -> Tokenizer:
    return Tokenizer(tokenizer_file, lower_case=False)


def cut(text: str, spans: list[Span]) -> list[str]:
    """What the spans cover."""
    return [text[start:end] for start, end in spans]


def assert_covers(text: str, spans: list[Span]) -> None:
    """Hold that the spans are in order, not empty, and leave out white space only."""
    position = 0
    for start, end in spans:
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("She left. He stayed.", ["She left.", "He stayed."]),
        ("Mr. Smith went to the U.S. in May.", ["Mr. Smith went to the U.S. in May."]),
        ("  One!  \n\n Two?  ", ["One!", "Two?"]),
        ("A heading\n\nA sentence.", ["A heading", "A sentence."]),
        ("no end", ["no end"]),
        ("Go. Go. Go.", ["Go.", "Go.", "Go."]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert cut(text, sentence_spans(text)) == sentences


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\u2028", "\u2003", "\u3000"])
def test_white_space_that_is_not_ascii(space: str) -> None:
    text = f"Take vitamin B{space}. Then{space}rest."

    spans = sentence_spans(text)

    assert_covers(text, spans)
    assert cut(text, spans)[-1] == f"Then{space}rest."


@given(texts)
@settings(max_examples=200, deadline=None)
def test_sentences_cover_any_text(text: str) -> None:
    spans = sentence_spans(text)

    assert_covers(text, spans)
    assert all(sentence == sentence.strip() for sentence in cut(text, spans))


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("She didn't know.", ["She", "did", "n't", "know", "."]),
        ("The dog's tail", ["The", "dog", "'s", "tail"]),
        ('"Yes," he said.', ['"', "Yes", ",", '"', "he", "said", "."]),
        ("It costs $5.00 (cash)", ["It", "costs", "$", "5.00", "(", "cash", ")"]),
        ("We cannot go", ["We", "can", "not", "go"]),
        ("''Two'' and ``one\"", ["''", "Two", "''", "and", "``", "one", '"']),
    ],
)
def test_words_by_penn_treebank_conventions(sentence: str, words: list[str]) -> None:
    assert cut(sentence, word_spans(sentence)) == words


@given(texts)
@settings(max_examples=200, deadline=None)
def test_words_cover_any_sentence(text: str) -> None:
    for sentence in cut(text, sentence_spans(text)):
        spans = word_spans(sentence)
        assert spans
        assert_covers(sentence, spans)


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
