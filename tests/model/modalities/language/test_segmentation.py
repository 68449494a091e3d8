"""Tests of the segmentation of texts into sentences and words."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omninet.model.modalities.language.segmentation import Span, plain_quotes, sentence_spans, word_spans

PIECES = [
    *('"', "''", "``", "“", "”", "‘", "’", "«", "»", ".", "!", "?", "…", "。", ",", ";", ":", "(", ")", "[", "—", "--"),
    *(" ", "  ", "\n", "\t", "\x1c", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff", "\r\n", "\x00"),
    *("a", "B", "word", "Mr.", "don't", "cannot", "U.S.", "e.g.", "日本", "é", "😀", "$5.00", "&amp;", "1)"),
    *("http://a.b/c?d", "x@y.org", "#tag", "@name", "C#", ".NET", "AT&T", ":-)", "!!", "👍🏽"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40)


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don’t know what it’s for.", "I do n’t know what it ’s for ."),
        ("She can’t go; they won’t either.", "She ca n’t go ; they wo n’t either ."),
        ("John’s dog isn’t here.", "John ’s dog is n’t here ."),
        ("“Hello,” she said.", "“ Hello , ” she said ."),
        ("It ＇s «new» ´s", "It ＇s « new » ´s"),
    ],
)
def test_typographic_quotes_are_split_as_ascii(text: str, words: str) -> None:
    assert cut(text, word_spans(text)) == words.split()
    assert word_spans(text) == word_spans(plain_quotes(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("See https://www.example.com/path?q=1.", "See https://www.example.com/path?q=1 ."),
        ("(https://a.org/b_(c)), www.d.net!", "( https://a.org/b_(c) ) , www.d.net !"),
        ("Visit example.com, then mail a.b+c@d-e.co.uk.", "Visit example.com , then mail a.b+c@d-e.co.uk ."),
        ("Write to mailto:me@here.org or Rice@ENRON", "Write to mailto:me@here.org or Rice@ENRON"),
        ("#OmniNet rocks @bob", "#OmniNet rocks @bob"),
        ("The #1 fan (@jane_d).", "The # 1 fan ( @jane_d ) ."),
        ("C#, C++ and F# or .NET", "C# , C++ and F# or .NET"),
        ("AT&T's plan, R&D and PG&E.", "AT&T 's plan , R&D and PG&E ."),
        ("He lives in the U.S.", "He lives in the U.S."),
        ("The U.S. army, e.g. in the U.K.", "The U.S. army , e.g. in the U.K."),
        ("Great :) or :-( and ;P :'( <3 ^_^ xD", "Great :) or :-( and ;P :'( <3 ^_^ xD"),
        ("Thanks. :)", "Thanks . :)"),
        ("See page 8) and (b): x =3", "See page 8 ) and ( b ) : x =3"),
        ("What?! No!!!", "What ?! No !!!"),
        ("Nice👍🏽👨‍👩‍👧 day🇩🇪!", "Nice 👍🏽 👨‍👩‍👧 day 🇩🇪 !"),
    ],
)
def test_words_of_the_web(text: str, words: str) -> None:
    assert cut(text, word_spans(text)) == words.split()


@pytest.mark.parametrize("text", ["See ASP.NET 5 and .NET 6.", "Look at example.com. Then go.", "Ask x.Y@z.org now."])
def test_addresses_do_not_end_sentences(text: str) -> None:
    assert len(sentence_spans(text)) == text.count(". ") + 1


@given(texts)
@settings(max_examples=200, deadline=None)
def test_spans_are_those_of_the_text_with_ascii_quotes(text: str) -> None:
    assert sentence_spans(text) == sentence_spans(plain_quotes(text))
    assert word_spans(text) == word_spans(plain_quotes(text))


@pytest.mark.parametrize(
    "unit", ["a", "a.", "a@", "http://a", "http://a(", "#1", "@a.", "a&", ": o", "^_", "o_", "!", "(:", "a%+", "x.com/"]
)
def test_long_texts_take_linear_time(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    began = time.process_time()
    for sentence in cut(text, sentence_spans(text)):
        word_spans(sentence)
    assert time.process_time() - began < 5


def test_splitting_words_imports_no_library_of_statistics() -> None:
    program = """if True:
        import sys
        from omninet.model.modalities.language.segmentation import word_spans

        word_spans("A dog runs.")
        print("scipy" in sys.modules, "sklearn" in sys.modules)
        import scipy
    """
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
