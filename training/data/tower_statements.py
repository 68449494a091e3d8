"""Rules for statements about towers of blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from omninet.training.data.shape_scenes import COLOURS, Box, Scene
from omninet.training.data.shape_words import NUMBERS, Amount, Rule, Said, number_of, some, things


def _blocks(draw: Random) -> Said:
    amount, kind = some(draw), things(draw, blocks=True)
    return f"there {amount.are} {kind.counted(amount)}", lambda scene: amount.fits(number_of(scene.items, kind.test))


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
        fits = [inside.fits(number_of(box, kind.test)) for box in scene.boxes]
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
