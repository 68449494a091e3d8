"""Pictures of words, drawn anew each time: fonts, photos behind, slant, curves, blur, noise and JPEG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from omninet.training.data.base import DataSet, Example, read_text
from omninet.training.data.caption_phrases import nouns
from omninet.training.data.text_drawing import DrawnWord, Library

LONGEST = 16  # characters of a word
COUNTS = {"train": 50_000, "dev": 200}  # texts
WORDS = re.compile(r"[A-Za-z][A-Za-z'-]*[A-Za-z]|[A-Za-z]")
SIGNS = ("EXIT", "SALE", "OPEN", "CLOSED", "STOP", "TAXI", "ATM", "WC", "NO PARKING", "PUSH", "PULL", "50% OFF", "FREE")
CURRENCIES = ("$", "€", "£", "Rs.", "S$")
MARKS = ("!", "?", ".", ",", ":", "!!", "...", "'s", "&", ")")
LETTERS, DIGITS = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"


class RenderedText(DataSet):
    """Words, numbers, prices, codes and signs, drawn while training; nothing is read but fonts, photos and words.

    ``fonts`` holds fonts in any folders. ``backgrounds`` may hold photos; otherwise colours are behind the words.
    ``words.txt`` may list words, one per line; otherwise those of the captions of Multi30k or Flickr8k beside this
    folder are used, or the nouns that OmniNet knows.
    """

    task = "read_word"
    source = "fonts of your system, such as /usr/share/fonts, and your own photos"
    layout = "fonts/**/*.ttf or *.otf (backgrounds/**/*.jpg, words.txt)"
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return texts that depend on the split alone; their pictures differ each time in ``train`` alone."""
        library, words, draw = self.library(), self.words(), Random(split)
        drawn = [DrawnWord(some_text(words, draw), library) for _ in range(COUNTS[split])]
        if split == "train":
            return [Example(self.task, {"image": word}, word.text) for word in drawn]
        return [word.example(draw) for word in drawn]

    def library(self) -> Library:
        """Return the fonts and photos."""
        return Library.of(self.existing("fonts"), self.folder / "backgrounds")

    def words(self) -> list[str]:
        """Return the words that are drawn, besides numbers, prices, codes and signs."""
        beside = ("words.txt", "../multi30k/train.en", "../flickr8k/Flickr8k.token.txt")
        found = next((path for name in beside if (path := self.folder / name).exists()), None)
        if found is None:
            return sorted(nouns())
        return sorted({word for word in WORDS.findall(read_text(found)) if len(word) <= LONGEST})


def some_text(words: Sequence[str], draw: Random) -> str:
    """Return a word, a number, a price, a code or a sign."""
    kind = draw.random()
    if kind < 0.7:
        word = draw.choice(words)
        word = draw.choice((word, word.lower(), word.upper(), word.upper(), word.capitalize(), word.capitalize()))
        return word + (draw.choice(MARKS) if draw.random() < 0.08 else "")
    if kind < 0.76:
        return draw.choice(SIGNS)
    return draw.choice((_number, _price, _code, _time))(draw)


def _number(draw: Random) -> str:
    digits = "".join(draw.choices(DIGITS, k=draw.randint(1, 6)))
    return digits + draw.choice(("", "", "", "%", "km", "th", "+", "-" + draw.choice(DIGITS)))


def _price(draw: Random) -> str:
    return f"{draw.choice(CURRENCIES)}{draw.randint(1, 999)}{draw.choice(('', '.00', '.99', '.50', '/-'))}"


def _code(draw: Random) -> str:
    letters = "".join(draw.choices(LETTERS, k=draw.randint(1, 3)))
    digits = "".join(draw.choices(DIGITS, k=draw.randint(1, 4)))
    return draw.choice((f"{letters}{digits}", f"{letters}-{digits}", f"#{digits}-{digits}", f"[{digits}]"))


def _time(draw: Random) -> str:
    minutes, half = draw.choice(("00", "15", "30", "45")), draw.choice(("", "am", "pm"))
    return f"{draw.randint(0, 23)}{draw.choice(':.')}{minutes}{half}"
