"""Tests of the check whether a text is English: no false notes on ordinary English, names and code."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest

from omninet.model.modalities.language.english import NOT_ENGLISH, is_other_language, texts_in
from omninet.model.predictor import Predictor

SHARED = Path(os.environ.get("OMNINET_SHARED", "missing")) / "data"
OTHER = [
    "Was ist auf dem Tisch?",
    "Was macht der Mann?",
    "Qu'est-ce qu'il y a sur la table ?",
    "Que fait l'homme ?",
    "¿Qué hay en la mesa?",
    "¿Qué está haciendo el hombre?",
    "O que o homem está fazendo?",
    "Che cosa fa l'uomo?",
    "Wat doet de man?",
    "Что на столе?",
    "桌子上有什么？",
    "テーブルの上に何がありますか",
    "ما على الطاولة؟",
]
ENGLISH = [
    "",
    "What is on the table?",
    "Who?",
    "color?",
    "hola",
    "Ludwig van Beethoven and Juan de la Cruz",
    "El Greco",
    "Los Angeles",
    "Les Misérables",
    "Das Boot is a film",
    '"Les Smith" <les@des.com>',
    "Mr. Müller met Frau Zimmermann in Zürich",
    "naïve café résumé",
    "α + β = γ",
    "def est(self): return il.des",
    "for (int i = 0; i < n; i++) { sum += a[i]; }",
    "SELECT * FROM users WHERE id = 3;",
    "http://im.example.com/en-us/des/il",
    "12:30 😀",
]


@pytest.mark.parametrize("text", OTHER)
def test_another_language_is_found(text: str) -> None:
    assert is_other_language(text)


@pytest.mark.parametrize("text", ENGLISH)
def test_english_names_and_code_are_not_another_language(text: str) -> None:
    assert not is_other_language(text)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("A dog.", ["A dog."]),
        (["A", "dog"], ["A dog"]),
        (["A dog.", "A cat."], ["A dog.", "A cat."]),
        ([["Was", "ist"], ["das", "?"]], ["Was ist", "das ?"]),
        (b"file", []),
    ],
)
def test_texts_of_an_input(value: Any, texts: list[str]) -> None:
    assert texts_in(value) == texts


def test_an_answer_has_a_note(toy_predictor: Predictor) -> None:
    assert toy_predictor.predict("pos", text="Das ist nicht gut.").notes == (NOT_ENGLISH,)
    assert toy_predictor.predict("pos", tokens=["Das", "ist", "nicht", "gut"]).notes == (NOT_ENGLISH,)
    assert toy_predictor.predict("pos", text=["A dog.", "Wo ist der Hund?"]).notes == (NOT_ENGLISH,)
    assert toy_predictor.predict("pos", text="That is not good.").notes == ()


@pytest.mark.skipif(not (SHARED / "ewt").is_dir(), reason="the data are not here")
def test_few_false_notes_on_english_data() -> None:
    treebank = (SHARED / "ewt" / "en_ewt-ud-dev.conllu").read_text(encoding="utf-8").splitlines()
    sentences = [line.removeprefix("# text = ") for line in treebank if line.startswith("# text = ")]
    captions = (SHARED / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines()
    with (SHARED / "daquar" / "qa_dev.csv").open(encoding="utf-8") as file:
        questions = [row[0] for row in csv.reader(file)]
    assert [
        text
        for text in (*sentences, *questions, *(line.split("\t")[1] for line in captions))
        if is_other_language(text)
    ] == []
