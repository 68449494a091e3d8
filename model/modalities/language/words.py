"""Split texts of requests into sentences and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omninet.model.errors import InputError
from omninet.model.modalities.language.segmentation import sentence_spans, word_spans

MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class Word:
    """A word with its character offsets in the text; None if the request gave split words."""

    text: str
    start: int | None = None
    end: int | None = None


def check_text(texts: Sequence[str]) -> None:
    """Check that texts are valid Unicode and not too long in total.

    Raises:
        InputError: ``text_too_long`` or ``invalid_text``.
    """
    characters = sum(map(len, texts))
    if characters > MAX_CHARACTERS:
        raise InputError(
            "text_too_long",
            f"the text has {characters} characters; at most {MAX_CHARACTERS} are accepted",
            characters=characters,
            limit=MAX_CHARACTERS,
        )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise InputError("invalid_text", f"the text is not valid Unicode: {error.reason}") from None


def split_text(text: str | list[str] | None) -> list[tuple[Word, ...]]:
    """Split one or more texts into sentences of words; offsets count from the start of the containing string.

    Raises:
        InputError: ``empty_text``, ``text_too_long`` or ``invalid_text``.
    """
    texts = [text] if isinstance(text, str) else list(text or [])
    check_text(texts)
    sentences = []
    for i, whole in enumerate(texts):
        spans = sentence_spans(whole)
        if not spans:
            raise InputError("empty_text", "the text is empty; send at least one word", index=i)
        for start, end in spans:
            inner = word_spans(whole[start:end])
            sentences.append(tuple(Word(whole[start + a : start + b], start + a, start + b) for a, b in inner))
    if not sentences:
        raise InputError("empty_text", "the text is empty; send at least one word")
    return sentences


def given_words(tokens: Sequence[str] | Sequence[Sequence[str]]) -> list[tuple[Word, ...]]:
    """Convert one or more sentences that are already split into words.

    Raises:
        InputError: ``empty_text``, ``text_too_long`` or ``invalid_text``.
    """
    nested = bool(tokens) and isinstance(tokens[0], (list, tuple))
    sentences: list[Any] = list(tokens) if nested else [tokens]
    for i, words in enumerate(sentences):
        if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
            raise InputError("invalid_text", "tokens must be a list of words, or a list of such lists", index=i)
        if not words or not all(word.strip() for word in words):
            raise InputError(
                "empty_text", "every sentence needs at least one word, and every word at least one character", index=i
            )
    check_text([word for words in sentences for word in words])
    return [tuple(map(Word, words)) for words in sentences]
