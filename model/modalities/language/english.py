"""A cautious check whether a text is in another language than English, by letters and frequent words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

NOT_ENGLISH = "a text does not seem to be English, the only language that the model has learnt"
MOST_CHARACTERS = 5_000  # of a text that are looked at
LEAST_LETTERS = 4  # letters of other scripts that a text must have
LEAST_SHARE = 0.15  # of frequent words of other languages among all words
WORD = re.compile(r"[^\W\d_]+")
ADDRESS = re.compile(r"\S*[@/\\]\S*|\S+\.\S+")  # e-mail, URL, file, attribute: no words of a language

_ENGLISH = """
the of and to is that it for was with as be by at this have from or are not but what which they you we he she
his her their there been has were would will can if when who how do does did a an in on i my your where why
color colour many any some
"""
# Frequent words that are neither English words nor, like "de" and "la", frequent in names.
_GERMAN = """
der das ist und ein eine einen einem einer nicht mit auf für sich auch sind werden wird wie wo warum welche
welcher welches wer zwei drei diese dieser dieses ihr wir sie er es ich vor bei nach aus zu im zum zur beim über
unter dem mann frau männer leute macht tun farbe hat haben steht sitzt bild viele bitte
"""
_DUTCH = """
het een niet zijn wordt aan voor naar ook deze dit wat waarom hoeveel wie doet vrouw kleur welke staan
"""
_FRENCH = """
les des une est dans sur avec pour qui que quoi quel quelle quelles quels où pourquoi combien cette ces ce il
elle ils elles sont fait homme femme couleur nous vous je pas sous au aux leur
"""
_SPANISH = """
el los las una unos unas es está están en con por para que qué quién cuál cuántos cuántas cómo dónde hombre
mujer hace haciendo esto esta este del su sus muy pero mesa
"""
_PORTUGUESE = """
uma não são quem qual quantos quantas onde fazendo homem mulher está isto isso esse essa dos das nos nas ao
"""
_ITALIAN = """
il gli della delle dei nel nella sul sulla con che chi cosa quale quanti quante perché sta facendo uomo donna
sono è questo questa uno una
"""
ENGLISH = frozenset(_ENGLISH.split())
OTHERS = frozenset(" ".join((_GERMAN, _DUTCH, _FRENCH, _SPANISH, _PORTUGUESE, _ITALIAN)).split())


def is_other_language(text: str) -> bool:
    """Return True if a text is clearly not English; False in doubt, as for names, code and texts of few words."""
    words = [word.lower() for word in WORD.findall(ADDRESS.sub(" ", text[:MOST_CHARACTERS]))]
    return _is_other_script("".join(words)) or _has_other_words(words, "¿" in text or "¡" in text)


def texts_in(value: Any) -> list[str]:
    """Return the texts of an input: a text, a list of texts, a list of words, or a list of those for each sentence."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list | tuple):
        return []
    if any(not isinstance(each, str) or " " in each for each in value):
        return [text for each in value for text in texts_in(each)]
    return [" ".join(value)]


def language_notes(values: Iterable[Any]) -> tuple[str, ...]:
    """Return a note if one of several text inputs is not English."""
    return (NOT_ENGLISH,) if any(is_other_language(text) for value in values for text in texts_in(value)) else ()


def _is_other_script(letters: str) -> bool:
    """Whether most letters are of scripts other than Latin, which ends with U+024F and has more at U+1E00."""
    other = sum(letter > "\u024f" and not "\u1e00" <= letter <= "\u1eff" for letter in letters)
    return other >= LEAST_LETTERS and 2 * other > len(letters)


def _has_other_words(words: Sequence[str], inverted: bool) -> bool:
    """Whether frequent words of other languages outnumber the English ones; ``inverted``: the text has ¿ or ¡."""
    others = [word for word in words if word in OTHERS]
    english = sum(word in ENGLISH for word in words)
    enough = len(set(others)) + inverted >= 2
    return enough and len(others) + inverted > 2 * english and len(others) >= LEAST_SHARE * len(words)
