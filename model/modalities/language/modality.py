"""Language modality: tokenisation of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.base import Form, Modality, Ready, Resources, Variation
from omninet.model.modalities.language.bpe_dropout import with_bpe_dropout
from omninet.model.modalities.language.config import LanguageConfig, Subwords
from omninet.model.modalities.language.segmentation import plain_quotes
from omninet.model.modalities.language.words import check_text

if TYPE_CHECKING:
    from omninet.model.modalities.language.peripheral import LanguagePeripheral

HINTS = {"question": "ask something about what is seen"}
SENTENCES = ("A dog runs.", "What is on the table ?", "Two men are playing football in the rain .", "Stop !")


# Codes of texts with more subwords than a network reads; that of a question is older than the common one.
TOO_LONG = {"question": "question_too_long"}
TOO_MANY = "too_many_subwords"


class LanguageModality(Modality):
    """Texts, tokenised to Subwords."""

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
        """Import and return LanguagePeripheral."""
        from omninet.model.modalities.language.peripheral import LanguagePeripheral

        return LanguagePeripheral

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:  # noqa: ARG002
        """Return the role as keyword; the role ``text`` may also be given as ``tokens``."""
        return {role: "text"} | ({"tokens": "tokens"} if role == "text" else {})

    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:
        """Tokenise a text to subwords."""
        words = _given(role, value) if form == "tokens" else spelling(role, _checked(role, value)).split()
        code = TOO_LONG.get(role, TOO_MANY)
        subwords = encode_words(words, resources, code, f"the {role}", self.config.tokenizer)
        return Ready(subwords, words=self._steps(words, subwords, resources))

    def varied(self, role: str, form: str, value: Any, resources: Resources, variation: Variation) -> Subwords:
        """Tokenise a text with BPE dropout."""
        words = list(value) if form == "tokens" else spelling(role, value).split()
        tokenizer = resources.tokenizer_of(self.config.tokenizer)
        encoded = tokenizer.encode(list(map(plain_quotes, words)))
        varied = with_bpe_dropout(encoded, tokenizer, variation.bpe_dropout, variation.generator)
        return varied if len(varied.tokens) <= resources.max_steps else encoded

    def texts(self, form: str, value: Any) -> tuple[str]:
        """Return the text; words are joined by spaces."""
        return (" ".join(value) if form == "tokens" else value,)

    def argument(self, form: str, text: str) -> Any:
        """Return the text itself."""
        return text.split() if form == "tokens" else text

    def sample(self, number: int) -> str:
        """Return one of a few sentences."""
        return SENTENCES[number % len(SENTENCES)]

    def limits(self, media: MediaLimits, max_steps: int) -> dict[str, float]:  # noqa: ARG002
        """Return the maximum number of subwords of a text."""
        return {"subwords": max_steps}

    def _steps(self, words: Sequence[str], subwords: Subwords, resources: Resources) -> tuple[str, ...]:
        """Return the text of each time step, a word or a subword."""
        if self.config.step == "word":
            return (*words, "")
        return tuple(resources.tokenizer_of(self.config.tokenizer).pieces(subwords.tokens.tolist()))


def encode_words(words: Sequence[str], resources: Resources, code: str, what: str, tokenizer: str = "") -> Subwords:
    """Tokenise words to subwords, with ASCII apostrophes and quotation marks.

    Args:
        code: error code of texts that are too long.
        what: name of the text, for the message.
        tokenizer: name of the tokenizer.

    Raises:
        InputError: ``code``, there are more subwords than ``max_steps``.
    """
    encoded = resources.tokenizer_of(tokenizer).encode(list(map(plain_quotes, words)))
    if len(encoded.tokens) > resources.max_steps:
        raise InputError(
            code,
            f"{what} has {len(encoded.tokens)} subwords; at most {resources.max_steps} are accepted",
            subwords=len(encoded.tokens),
            limit=resources.max_steps,
        )
    return encoded


def spelling(role: str, text: str) -> str:
    """Return a text as the network reads it: a question is in lower case after its first letter, and ends with one "?".

    Data sets and users differ in capitals and question marks, which must not change the answer.
    """
    if role != "question":
        return text
    return text.strip().rstrip("?!. ").capitalize() + "?"


def _checked(role: str, text: Any) -> str:
    if not isinstance(text, str):
        raise InputError("unexpected_input", f"the {role} must be one string", input=role)
    if not text.strip():
        raise InputError(f"empty_{role}", f"the {role} is empty; {HINTS.get(role, 'write something')}")
    check_text([text])
    return text


def _given(role: str, words: Any) -> list[str]:
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise InputError("invalid_text", "tokens must be a list of words")
    if not words or not all(word.strip() for word in words):
        raise InputError(f"empty_{role}", f"the {role} is empty; {HINTS.get(role, 'write something')}")
    check_text(words)
    return list(words)
