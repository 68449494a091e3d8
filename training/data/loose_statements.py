"""Rules for statements about boxes with loose items."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from omninet.training.data.shape_scenes import COLOURS, Scene
from omninet.training.data.shape_words import ANY, NUMBERS, Rule, Said, Test, all_of, any_of, number_of, some, things

EDGES = ("the edge", "an edge", "the wall", "the side")


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


def _counted(draw: Random) -> Said:
    amount, kind = some(draw), things(draw)
    return f"there {amount.are} {kind.counted(amount)}", lambda scene: amount.fits(number_of(scene.items, kind.test))


def _placed(draw: Random) -> Said:
    amount, kind, (where, test) = some(draw), things(draw), _place(draw)
    text = f"there {amount.are} {kind.counted(amount)} {where}"
    return text, lambda scene: amount.fits(number_of(scene.items, kind.test, test))


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
        fits = [[amount.fits(number_of(box, kind.test)) for amount, kind in parts] for box in scene.boxes]
        return any_of(all_of(found) for found in fits)

    return f"there is a {_box(draw)} with {listed}", holds


def _each_box(draw: Random) -> Said:
    amount, kind = some(draw, 2), things(draw)
    text = f"{draw.choice(('each', 'every'))} {_box(draw)} {draw.choice(('has', 'contains'))} {kind.counted(amount)}"
    return text, lambda scene: all_of(amount.fits(number_of(box, kind.test)) for box in scene.boxes)


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
