"""Segmentation of English texts into sentences and words, with the conventions of the English Web Treebank."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize import NLTKWordTokenizer

Span = tuple[int, int]
NOT_NEEDED = "scipy", "sklearn"  # libraries that NLTK imports if they are installed

# Apostrophes and quotation marks of keyboards and word processors -> ASCII, character by character.
PLAIN_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛′ʹʼ´＇", "'") | dict.fromkeys("“”„‟″«»＂", '"'))

# Words that contain punctuation, without those below. Suffixes such as 's are still split off.
ADDRESS = r"""
    (?: (?:https?|ftp)://\w | mailto:\w | www\.\w ) (?: [^\s<>"()] | \([^\s<>"()]*\) )* (?<! [.,;:!?'\]}] )  # URL
    | (?<! [\w.+%-] ) \w [\w.+%-]* @ \w (?: [\w.-]* \w )?                                             # e-mail address
    | (?<! [\w.@-] ) (?: [\w-]+ \. )+ (?: com|org|net|edu|gov|info|io|uk|de|fr|eu ) \b                       # host
      (?: / [^\s<>"()]* (?<! [.,;:!?'/] ) )?
    | (?<! [\w&#/] ) \# \w* [^\W\d] \w*                                                                      # hashtag
    | (?<! [\w.@/] ) @ \w (?: [\w.]* \w )?                                                                 # user name
    | (?<! [\w.] ) (?: [CFJ] \# | [CG] \+\+ | \w* \.NET \b )                                    # programming language
"""
ABBREVIATION = r"(?<! [\w&] ) \w+ (?: & \w+ )+ | (?<! [\w.] ) (?: [^\W\d_] \. ){2,} (?! \w )"  # AT&T, U.S.
ADDRESSES = re.compile(ADDRESS, re.VERBOSE)
COMPOUNDS = re.compile(f"{ADDRESS} | {ABBREVIATION}", re.VERBOSE)

EMOJI = r"[\U0001F300-\U0001FAFF\u2600-\u27BF\u2B50\u2B55] [\uFE0F\U0001F3FB-\U0001F3FF]*"
# Words that are never joined to their neighbours, not even without a space.
APART = re.compile(
    rf"""
    [\U0001F1E6-\U0001F1FF]{{2}} | {EMOJI} (?: \u200D {EMOJI} )*                                       # flag, emoji
    | (?<! [^\s.,!?] ) (?: [<>]? [:;] [-o^']* (?: [)(\]\[|/\\*]+ | [DpPO3] ) | = [-o^]? [)(\]\[DP]     # :-) ;P :'( =)
      | [(] [-']? [:;=] | [xX] D+ | \^ _* \^ | </? 3 | [oO0TQ-] _+ [oO0TQ-] ) (?! [\w)] )              # (: xD ^_^ <3
    | [!?]{{2,}}                                                                                       # !!!
    """,
    re.VERBOSE,
)


def plain_quotes(text: str) -> str:
    """Replace typographic apostrophes and quotation marks by ASCII; the length stays."""
    return text.translate(PLAIN_QUOTES)


def sentence_spans(text: str) -> list[Span]:
    """Return the character spans of the sentences of an English text, without surrounding white space."""
    from sentencex import segment

    # The splitter fails on some non-ASCII white space, as in "B\u00a0."; newlines separate paragraphs.
    plain = re.sub(r"[^\S\n]", " ", ADDRESSES.sub(_mask, plain_quotes(text)))
    spans, start = [], 0
    for sentence in segment("en", plain):
        begin = plain.find(sentence, start)
        start = begin + len(sentence)
        if stripped := sentence.strip():
            begin += sentence.index(stripped)
            spans.append((begin, begin + len(stripped)))
    return spans


def word_spans(sentence: str) -> list[Span]:
    """Return the character spans of words by Penn Treebank conventions: "don't" is "do" and "n't".

    URLs, e-mail addresses, hashtags, user names, abbreviations and emoticons are one word each.
    """
    plain = COMPOUNDS.sub(_mask, plain_quotes(sentence))
    spans, start = list[Span](), 0
    for found in APART.finditer(plain):
        spans += [*_penn_spans(plain, start, found.start()), found.span()]
        start = found.end()
    return [*spans, *_penn_spans(plain, start, len(plain))]


def _mask(found: re.Match[str]) -> str:
    """Return a word of letters in place of one with punctuation, of equal length."""
    return "x" * len(found[0])


def _penn_spans(text: str, start: int, end: int) -> Iterator[Span]:
    for a, b in penn_tokenizer().span_tokenize(text[start:end]):
        yield start + a, start + b


@cache
def penn_tokenizer() -> NLTKWordTokenizer:
    """Return NLTK's tokenizer of words.

    NLTK is imported as if scipy and scikit-learn were not installed: it would import both, 65 to 85 MB and more than a
    second, for parts of it that are not used here.
    """
    hidden = [name for name in NOT_NEEDED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # the import of a module that is None fails
    try:
        from nltk.tokenize import NLTKWordTokenizer
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
    return NLTKWordTokenizer()
