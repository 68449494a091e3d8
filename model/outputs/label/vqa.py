"""VQA accuracy (Antol et al. 2015): an answer counts fully if at least three of ten annotators gave it.

Answers are normalised by the published rules, https://visualqa.org/evaluation.html.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

ENOUGH = 3
HALF = 0.5  # accuracy from which an answer counts as right where it must be either right or wrong
ARTICLES = {"a", "an", "the"}
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = {word: str(value) for value, word in enumerate(NUMBERS)} | {"none": "0"}
# Contractions that become other words without their apostrophe are left out, such as we're, it's and he'll.
WITH_APOSTROPHE = """
ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how's i'm i've isn't
it'd it'll ma'am might've mightn't must've mustn't needn't o'clock oughtn't shan't she's should've shouldn't somebody's
someone's that's there'd there's they'd they'll they're they've wasn't we've weren't what'll what're what's what've
when's where'd where's who'd who'll who's who've why's won't would've wouldn't y'all you'd you'll you're you've
"""
CONTRACTIONS = {word.replace("'", ""): word for word in WITH_APOSTROPHE.split()}


def normalise(answer: str) -> str:
    """Normalise an answer: lower case, number words to digits, no articles, punctuation replaced by spaces.

    Apostrophes and colons stay. Inside numbers full stops stay and commas are removed.
    """
    text = re.sub(r"(?<=\d),(?=\d)|\.(?!\d)", "", answer.lower())
    # Symbols that stand for a word stay too, as in the official program: $5 and 50%.
    text = re.sub(r"[^\w\s.':$%&*#]|_", " ", text)
    words = (DIGITS.get(word, word) for word in text.split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def accuracy(answer: str, annotators: Sequence[str]) -> float:
    """Return the VQA accuracy of an answer, in [0, 1].

    This is min(1, agreeing annotators / 3), averaged over all subsets that leave out one annotator. Answers are
    normalised only if the annotators disagree, as in the official program.
    """
    given = Counter(annotator.strip() for annotator in annotators)
    answer = answer.strip()
    if len(given) > 1:
        answer = normalise(answer)
        given = Counter(normalise(annotator) for annotator in annotators)
    same, others = given[answer], len(annotators) - given[answer]
    total = same * min(1, (same - 1) / ENOUGH) + others * min(1, same / ENOUGH)
    return total / len(annotators)


def shares(annotators: Sequence[str], ids: Mapping[str, int]) -> dict[int, float]:
    """Return the soft target of a question: class id -> min(1, annotators / 3), divided by the sum over the classes.

    An answer has the class of its name or of its normalised name; answers without a class are left out.

    Args:
        ids: class name -> id.
    """
    names = (name if name in ids else normalise(name) for name in (answer.strip() for answer in annotators))
    counts = Counter(ids[name] for name in names if name in ids)
    weights = {i: min(1.0, count / ENOUGH) for i, count in counts.items()}
    total = sum(weights.values())
    return {i: weight / total for i, weight in weights.items()}
