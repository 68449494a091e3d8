"""Tests that spellings which mean the same to a reader give the network equal inputs."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from omninet.model.modalities.language.config import Subwords
from omninet.model.outputs.tags.answer import Tagging
from omninet.model.predictor import Predictor


def subwords(predictor: Predictor, task: str, **given: Any) -> list[int]:
    """Return the subwords of the only text of a request."""
    (row,) = predictor.prepare(task, **given).rows
    (text,) = [each.value for each in row.inputs if isinstance(each.value, Subwords)]
    return list(text.tokens)


@pytest.mark.parametrize(
    "question",
    [
        "what colour is the dog's shirt",
        "what colour is the dog's shirt?",
        "WHAT COLOUR IS THE DOG'S SHIRT?",
        "What Colour Is The Dog’s Shirt ?",
        "  what colour is the dog's shirt ???  ",
        "What colour is the dog's shirt.",
    ],
)
def test_capitals_and_punctuation_of_a_question_do_not_matter(toy_predictor: Predictor, question: str) -> None:
    image = Image.new("RGB", (40, 30))
    usual = subwords(toy_predictor, "vqa", image=image, question="What colour is the dog's shirt?")
    assert subwords(toy_predictor, "vqa", image=image, question=question) == usual


def test_question_of_punctuation_alone_is_read(toy_predictor: Predictor) -> None:
    assert toy_predictor.prepare("vqa", image=Image.new("RGB", (40, 30)), question="?").rows


def test_typographic_quotes_are_read_as_ascii(toy_predictor: Predictor) -> None:
    plain = subwords(toy_predictor, "pos", text="I don't know.")
    assert subwords(toy_predictor, "pos", text="I don’t know.") == plain
    assert subwords(toy_predictor, "pos", tokens=["I", "do", "n’t", "know", "."]) == plain


def test_words_keep_the_spelling_of_the_text(toy_predictor: Predictor) -> None:
    answer = toy_predictor.predict("pos", text="I don’t know.")
    assert isinstance(answer, Tagging)
    (sentence,) = answer.sentences
    assert [(word.text, word.start, word.end) for word in sentence] == [
        ("I", 0, 1),
        ("do", 2, 4),
        ("n’t", 4, 7),
        ("know", 8, 12),
        (".", 12, 13),
    ]
