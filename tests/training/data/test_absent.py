"""Phrases of other photos."""

from __future__ import annotations

from pathlib import Path

from omninet.training.data import Example
from omninet.training.data.absent import absent_phrases

BOX = ((0.0, 0.0, 0.5, 0.5),)


def phrase(photo: str, text: str) -> Example:
    return Example("ground", {"image": Path(photo), "phrase": text}, truth=BOX)


def test_no_word_of_an_absent_phrase_describes_the_photo() -> None:
    present = [
        *(phrase("a.jpg", text) for text in ("A brown dog", "the grass", "a young boy")),
        *(phrase("b.jpg", text) for text in ("two women", "a red ball", "the Dog")),
        *(phrase("c.jpg", text) for text in ("a boat", "blue water")),
    ]
    described = {name: {e.inputs["phrase"] for e in present if e.image == Path(name)} for name in ("a.jpg", "b.jpg")}

    found = absent_phrases(present)

    assert found == absent_phrases(present)
    assert {e.truth for e in found} == {()}
    assert [e.image for e in found] == sorted((e.image for e in found), key=str)
    for example in found:
        text = example.inputs["phrase"]
        assert text not in described.get(str(example.image), ())
        if str(example.image) == "a.jpg":  # it has a dog and a boy
            assert text in ("a red ball", "a boat", "blue water")
        if str(example.image) == "b.jpg":
            assert text in ("the grass", "a boat", "blue water")


def test_a_photo_that_shares_its_words_with_all_others_has_none() -> None:
    assert absent_phrases([phrase("a.jpg", "a dog"), phrase("b.jpg", "the dog")]) == []
