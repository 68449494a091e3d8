"""Texts as subwords."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.base import Form, Modality, Ready, Resources, Variation
from omninet.model.modalities.language.bpe_dropout import with_bpe_dropout
from omninet.model.modalities.language.config import LanguageConfig, Subwords
from omninet.model.modalities.language.words import check_text

if TYPE_CHECKING:
    from omninet.model.modalities.language.peripheral import LanguagePeripheral

HINTS = {"question": "ask something about what is seen"}
SENTENCES = ("A dog runs.", "What is on the table ?", "Two men are playing football in the rain .", "Stop !")


class LanguageModality(Modality):
    """A text, which becomes Subwords."""

    Config = LanguageConfig
    config: LanguageConfig
    forms: ClassVar[Mapping[str, Form]] = {
        "text": Form(str, "A text."),
        "tokens": Form(
            list[str],
            "A text that is already split into words.",
            shape="a list of words",
            examples=(["A", "dog", "runs", "."],),
        ),
    }
    decided_by_data = frozenset({"vocabulary"})

    @staticmethod
    def peripheral() -> type[LanguagePeripheral]:
        """Import and return the module that encodes texts."""
        from omninet.model.modalities.language.peripheral import LanguagePeripheral

        return LanguagePeripheral

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:  # noqa: ARG002
        """Return the role; what is simply a text may be given as ``tokens``, too."""
        return {role: "text"} | ({"tokens": "tokens"} if role == "text" else {})

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:
        """Split a text into subwords."""
        words = _given(role, value) if form == "tokens" else _split(role, value)
        subwords = encode_words(words, resources, f"{role}_too_long", f"the {role}")
        return Ready(subwords, words=self._steps(words, subwords, resources))

    def varied(self, role: str, form: str, value: Any, resources: Resources, variation: Variation) -> Subwords:
        """Return the subwords of a text, some written as two others; a question may be put in people's spelling."""
        asked = isinstance(value, str) and role == "question"
        text = vary_spelling(value, variation.generator) if asked else value
        words = list(text) if form == "tokens" else text.split()
        encoded = resources.tokenizer.encode(words)
        varied = with_bpe_dropout(encoded, resources.tokenizer, variation.bpe_dropout, variation.generator)
        return varied if len(varied.tokens) <= resources.max_steps else encoded

    def texts(self, form: str, value: Any) -> tuple[str]:
        """Return the text, words joined by spaces."""
        return (" ".join(value) if form == "tokens" else value,)

    def argument(self, form: str, text: str) -> Any:
        """Return the text itself."""
        return text.split() if form == "tokens" else text

    def sample(self, number: int) -> str:
        """Return one of a few sentences."""
        return SENTENCES[number % len(SENTENCES)]

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the subwords of a text."""
        return {"subwords": max_steps}

    def _steps(self, words: Sequence[str], subwords: Subwords, resources: Resources) -> tuple[str, ...]:
        """Name each time step; a whole word is one, or a subword."""
        if self.config.step == "word":
            return (*words, "")
        return tuple(resources.tokenizer.pieces(subwords.tokens.tolist()))


def encode_words(words: Sequence[str], resources: Resources, code: str, what: str) -> Subwords:
    """Return the subwords of words.

    Raises:
        InputError: ``code``, they are too many.
    """
    encoded = resources.tokenizer.encode(words)
    if len(encoded.tokens) > resources.max_steps:
        raise InputError(
            code,
            f"{what} has {len(encoded.tokens)} subwords; at most {resources.max_steps} are accepted",
            subwords=len(encoded.tokens),
            limit=resources.max_steps,
        )
    return encoded


def vary_spelling(question: str, generator: random.Random) -> str:
    """Return a question as it is, or as people write it, "What is this?": data sets write questions bare."""
    if generator.random() < 0.5:
        return question[:1].upper() + question[1:].rstrip(" ?") + "?"
    return question


def _split(role: str, text: Any) -> list[str]:
    if not isinstance(text, str):
        raise InputError("unexpected_input", f"this task needs one {role}, a string", input=role)
    if not text.strip():
        raise InputError(f"empty_{role}", f"the {role} is empty; {HINTS.get(role, 'write something')}")
    check_text([text])
    return text.split()


def _given(role: str, words: Any) -> list[str]:
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise InputError("invalid_text", "tokens must be a list of words")
    if not words or not all(word.strip() for word in words):
        raise InputError(f"empty_{role}", f"the {role} is empty; {HINTS.get(role, 'write something')}")
    check_text(words)
    return list(words)
