"""Statements about boxes with shapes, made by rules that also tell whether they are true of a scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from omninet.training.data.shape_scenes import COLOURS, SHAPES, SIZES, Box, Item, Scene

Test = Callable[[Item], bool]
Holds = Callable[[Scene], bool | None]  # whether a statement is true of a scene; None where it leaves that open
Said = tuple[str, Holds]  # a statement without its capital and full stop
Rule = Callable[[Random], Said]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
ANY = ("item", "object")
EDGES = ("the edge", "an edge", "the wall", "the side")


@dataclass(frozen=True)
class Statement:
    """A sentence about a scene.

    Attributes:
        towers: whether it is about scenes with towers; otherwise about loose items.
        holds: tells whether it is true of a scene.
    """

    text: str
    towers: bool
    holds: Holds

    @classmethod
    def random(cls, draw: Random) -> Statement:
        """Return a statement of a rule drawn by chance."""
        towers = draw.random() < 0.5
        text, holds = draw.choice(ABOUT_TOWERS if towers else ABOUT_LOOSE)(draw)
        return cls(f"{text[:1].upper()}{text[1:]}.", towers, holds)


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


def _place(draw: Random) -> tuple[str, Test]:
    """Return where an item is, in words and as a test."""
    side = draw.choice(("left", "right", "top", "bottom"))
    edge = draw.choice(EDGES)
    return draw.choices(
        (
            (f"touching {edge}", lambda item: bool(item.walls)),
            (f"not touching {edge}", lambda item: not item.walls),
            ("touching the corner", lambda item: item.in_corner),
            (f"touching the {side} of a box", lambda item: side in item.walls),
        ),
        [5, 2, 1, 1],
    )[0]


def _number(items: Iterable[Item], *tests: Test) -> int:
    return sum(all(test(item) for test in tests) for item in items)


# Rules about loose items.


def _counted(draw: Random) -> Said:
    amount, kind = some(draw), things(draw)
    return f"there {amount.are} {kind.counted(amount)}", lambda scene: amount.fits(_number(scene.items, kind.test))


def _placed(draw: Random) -> Said:
    amount, kind, (where, test) = some(draw), things(draw), _place(draw)
    text = f"there {amount.are} {kind.counted(amount)} {where}"
    return text, lambda scene: amount.fits(_number(scene.items, kind.test, test))


def _all_placed(draw: Random) -> Said:
    kind, (where, test) = things(draw), _place(draw)
    none = draw.random() < 0.5

    def holds(scene: Scene) -> bool | None:
        found = [test(item) for item in scene.items if kind.test(item)]
        return None if not found else not any(found) if none else all(found)

    return f"{'none of' if none else 'all'} the {kind.many} are {where}", holds


def _in_a_box(draw: Random) -> Said:
    parts = [(some(draw), things(draw)) for _ in range(draw.randint(1, 2))]
    listed = " and ".join(kind.counted(amount) for amount, kind in parts)

    def holds(scene: Scene) -> bool | None:
        fits = [[amount.fits(_number(box, kind.test)) for amount, kind in parts] for box in scene.boxes]
        return _any(_all(found) for found in fits)

    return f"there is a {_box(draw)} with {listed}", holds


def _each_box(draw: Random) -> Said:
    amount, kind = some(draw, 2), things(draw)
    text = f"{draw.choice(('each', 'every'))} {_box(draw)} {draw.choice(('has', 'contains'))} {kind.counted(amount)}"
    return text, lambda scene: _all(amount.fits(_number(box, kind.test)) for box in scene.boxes)


def _full_box(draw: Random) -> Said:
    number, word = draw.randint(1, 7), draw.choice(("exactly", "at least", "less than", "more than"))
    amount = {
        "exactly": (number, number),
        "at least": (number, 99),
        "less than": (0, number - 1),
        "more than": (number + 1, 99),
    }[word]
    text = f"one of the {_box(draw)}es has {word} {NUMBERS[number]} {draw.choice(ANY)}{'s' if number > 1 else ''}"
    return text, lambda scene: any(amount[0] <= len(box) <= amount[1] for box in scene.boxes)


def _colours_of_a_box(draw: Random) -> Said:
    colour, number = draw.choice(list(COLOURS)), draw.randint(1, 3)
    if draw.random() < 0.5:
        text = f"there is a {_box(draw)} with only {colour} items"
        return text, lambda scene: any(all(item.colour == colour for item in box) for box in scene.boxes)
    said = "the same color" if number == 1 else f"{draw.choice((NUMBERS[number], str(number)))} different colors"
    text = f"there is a {_box(draw)} with items of {said}"
    return text, lambda scene: any(len({item.colour for item in box}) == number for box in scene.boxes)


def _topmost(draw: Random) -> Said:
    colour, amount = draw.choice(list(COLOURS)), some(draw, 2)
    boxes = "boxes" if amount.plural else "box"

    def holds(scene: Scene) -> bool | None:
        return amount.fits(sum(min(box, key=lambda item: item.y).colour == colour for box in scene.boxes))

    return f"there {amount.are} {amount.words} {boxes} with a {colour} item on top", holds


def _box(draw: Random) -> str:
    return draw.choice(("box", "box", "grey box"))


# Rules about towers.


def _blocks(draw: Random) -> Said:
    amount, kind = some(draw), things(draw, blocks=True)
    return f"there {amount.are} {kind.counted(amount)}", lambda scene: amount.fits(_number(scene.items, kind.test))


def _ends(draw: Random) -> Said:
    amount, colour, (end, level) = some(draw), draw.choice(list(COLOURS)), _end(draw)
    tall, high = _height(draw) if draw.random() < 0.4 else ("", lambda _: True)
    text = f"there {amount.are} {_towers(amount)}{tall}{' and' if tall else ' with'} a {colour} block at the {end}"
    return text, lambda scene: amount.fits(sum(high(box) and box[level].colour == colour for box in scene.boxes))


def _end_as(draw: Random) -> Said:
    colour, (end, level), (tall, high) = draw.choice(list(COLOURS)), _end(draw), _height(draw)
    text = f"there is a {colour} block as the {end} of a tower{tall}"
    return text, lambda scene: any(high(box) and box[level].colour == colour for box in scene.boxes)


def _heights(draw: Random) -> Said:
    amount, (tall, high) = some(draw), _height(draw)
    text = f"there {amount.are} {_towers(amount)}{tall}"
    return text, lambda scene: amount.fits(sum(high(box) for box in scene.boxes))


def _blocks_of_a_tower(draw: Random) -> Said:
    amount, inside, kind = some(draw, 2), some(draw), things(draw, blocks=True)
    text = f"there {amount.are} {_towers(amount)} {draw.choice(('with', 'that has'))} {kind.counted(inside)}"

    def holds(scene: Scene) -> bool | None:
        fits = [inside.fits(_number(box, kind.test)) for box in scene.boxes]
        return None if None in fits else amount.fits(sum(bool(each) for each in fits))

    return text, holds


def _over(draw: Random) -> Said:
    first, second = (draw.choice(list(COLOURS)) for _ in range(2))
    is_over = draw.random() < 0.7
    word = draw.choice(("over", "on", "above") if is_over else ("under", "below"))
    upper, lower = (first, second) if is_over else (second, first)
    amount = some(draw, 2)
    owner = draw.choice(("", f"{_towers(amount)} which has ")) if not amount.plural else f"{_towers(amount)} with "
    start = f"there {amount.are} {owner}a" if owner else "there is a"

    def has(box: Box) -> bool:
        return any(low.colour == lower and high.colour == upper for low, high in pairwise(box))

    def holds(scene: Scene) -> bool | None:
        number = sum(has(box) for box in scene.boxes)
        return amount.fits(number) if owner else number > 0

    return f"{start} {first} block {word} a {second} block", holds


def _one_colour(draw: Random) -> Said:
    colour = draw.choice((*COLOURS, None))
    text = f"a tower with only {colour} blocks" if colour else "a tower with all blocks of the same color"

    def holds(scene: Scene) -> bool:
        return any(len({item.colour for item in box} | ({colour} if colour else set())) == 1 for box in scene.boxes)

    return f"there is {text}", holds


def _same_ends(draw: Random) -> Said:
    end, level = _end(draw)
    same = draw.random() < 0.6
    text = f"the {end}s of the three towers are {'' if same else 'not '}the same in color"
    return text, lambda scene: (len({box[level].colour for box in scene.boxes}) == 1) == same


def _the_tower(draw: Random) -> Said:
    number, colour, (end, level) = draw.randint(1, 4), draw.choice(list(COLOURS)), _end(draw)
    text = f"the tower with {NUMBERS[number]} block{'s' if number > 1 else ''} has a {colour} block at the {end}"

    def holds(scene: Scene) -> bool | None:
        meant = [box for box in scene.boxes if len(box) == number]
        return meant[0][level].colour == colour if len(meant) == 1 else None

    return text, holds


def _end(draw: Random) -> tuple[str, int]:
    """Return the top or the base of a tower, and its place among the blocks."""
    return draw.choice((("top", -1), ("base", 0)))


def _height(draw: Random) -> tuple[str, Callable[[Box], bool]]:
    """Return how many blocks a tower has, in words and as a test."""
    number, word = draw.randint(1, 4), draw.choice(("exactly ", "", "at least "))
    at_least = word == "at least "
    text = f" with {word}{NUMBERS[number]} block{'s' if number > 1 else ''}"
    return text, lambda box: len(box) >= number if at_least else len(box) == number


def _towers(amount: Amount) -> str:
    return f"{amount.words} {'towers' if amount.plural else 'tower'}"


def _all(found: Iterable[bool | None]) -> bool | None:
    """Return whether all are true; None if that depends on one that is open."""
    seen = set(found)
    return False if False in seen else None if None in seen else True


def _any(found: Iterable[bool | None]) -> bool | None:
    """Return whether one is true; None if that depends on one that is open."""
    seen = set(found)
    return True if True in seen else None if None in seen else False


ABOUT_LOOSE: Sequence[Rule] = (
    _counted,
    _placed,
    _placed,
    _all_placed,
    _in_a_box,
    _in_a_box,
    _each_box,
    _full_box,
    _colours_of_a_box,
    _topmost,
)
ABOUT_TOWERS: Sequence[Rule] = (
    _blocks,
    _ends,
    _ends,
    _end_as,
    _heights,
    _blocks_of_a_tower,
    _over,
    _one_colour,
    _same_ends,
    _the_tower,
)
