"""Words for amounts and kinds of shapes, each with its test, of which statements about boxes are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from omninet.training.data.shape_scenes import COLOURS, SHAPES, SIZES, Item, Scene

Test = Callable[[Item], bool]
Holds = Callable[[Scene], bool | None]  # whether a statement is true of a scene; None where it leaves that open
Said = tuple[str, Holds]  # a statement without its capital and full stop
Rule = Callable[[Random], Said]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
ANY = ("item", "object")


@dataclass(frozen=True)
class Amount:
    """A number of things, as words say it.

    Attributes:
        words: "at least two", "no", "3".
        lowest, highest: numbers that fit.
        plural: whether the things are named in the plural.
        is_bare: whether the words leave open if more would do, as "two" does.
    """

    words: str
    lowest: int
    highest: int
    plural: bool
    is_bare: bool = False

    def fits(self, number: int) -> bool | None:
        """Return whether a number of things fits; None if the words leave that open."""
        if self.is_bare and number > self.highest:
            return None
        return self.lowest <= number <= self.highest

    @property
    def are(self) -> str:
        """Return the verb of a sentence that begins with "there"."""
        return "are" if self.plural else "is"


@dataclass(frozen=True)
class Things:
    """Items of a colour, a shape and a size, each of which may be left open, in words and as a test."""

    one: str
    many: str
    test: Test

    def counted(self, amount: Amount) -> str:
        """Return them with their number, as in "at least two blue circles"."""
        if amount.words == "a" and self.one[0] in "aeiou":
            return f"an {self.one}"
        return f"{amount.words} {self.many if amount.plural else self.one}"


def some(draw: Random, most: int = 3) -> Amount:
    """Return an amount of up to ``most``."""
    number = draw.choices(range(1, most + 1), [4, *[2] * (most - 1)])[0]
    words = draw.choice((NUMBERS[number], str(number)))
    plural, most_of_all = number > 1, 99
    at_least = (Amount(f"at least {words}", number, most_of_all, plural),) * 2
    exactly = (Amount(f"exactly {words}", number, number, plural), Amount(f"only {words}", number, number, plural))
    bare = Amount(words, number, number, plural, is_bare=True) if plural else Amount("a", 1, most_of_all, False)
    none = Amount("no", 0, 0, False)
    return draw.choices((*at_least, *exactly, bare, none), [2, 2, 3, 1, 5, 1])[0]


def things(draw: Random, blocks: bool = False) -> Things:
    """Return blocks or loose items of a kind, a colour at least."""
    colour = draw.choice(list(COLOURS))
    if blocks:
        return Things(f"{colour} block", f"{colour} blocks", lambda item: item.colour == colour)
    shape = draw.choice((*SHAPES, None))
    size = draw.choice((*SIZES, *[None] * 12))
    if shape is not None and draw.random() < 0.25:
        colour = ""
    name = shape or draw.choice(ANY)
    words = " ".join(filter(None, (size, colour, name)))

    def test(item: Item) -> bool:
        return (
            (shape is None or item.shape == shape)
            and (not colour or item.colour == colour)
            and (size is None or item.size == SIZES[size])
        )

    return Things(words, f"{words}s", test)


def number_of(items: Iterable[Item], *tests: Test) -> int:
    """Return how many items pass all tests."""
    return sum(all(test(item) for test in tests) for item in items)


def all_of(found: Iterable[bool | None]) -> bool | None:
    """Return whether all are true; None if that depends on one that is open."""
    seen = set(found)
    return False if False in seen else None if None in seen else True


def any_of(found: Iterable[bool | None]) -> bool | None:
    """Return whether one is true; None if that depends on one that is open."""
    seen = set(found)
    return True if True in seen else None if None in seen else False
