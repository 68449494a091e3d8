"""What can be asked for where a text is decoded."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.rules import Rules
from omninet.model.decoding.sampling import Sampling
from omninet.model.errors import InputError


class TextOptions(TypedDict, total=False):
    """Options of a text; those that are left out or None are the checkpoint's, or off.

    Attributes:
        beams: hypotheses kept at every step; 1 is greedy.
        n_best: texts that are wanted, best first; no two are the same, and there are fewer where no more exist.
        temperature, top_p: draw the text; see Sampling.
        seed: of what is drawn; without one it is another text each time.
        no_repeat_ngram: runs of so many subwords come once only.
        min_length, max_length: subwords of the text.
    """

    beams: int | None
    n_best: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    no_repeat_ngram: int | None
    min_length: int | None
    max_length: int | None


@dataclass(frozen=True)
class Option:
    """An option of a request.

    Attributes:
        kind: its type.
        least, most: the range of its values.
        summary: what it does, for people.
    """

    kind: type[int] | type[float]
    least: float
    most: float
    summary: str


MAX_BEAMS = 16
MAX_LENGTH = 10_000  # subwords; a checkpoint has its own limit
TEXT_OPTIONS: Mapping[str, Option] = {
    "beams": Option(
        int,
        1,
        MAX_BEAMS,
        "Sentences that are followed at the same time to find the likeliest; 1 is greedy, which is the quickest. By "
        "default what the checkpoint was found to do best with.",
    ),
    "n_best": Option(
        int,
        1,
        MAX_BEAMS,
        "Different sentences that are wanted; all but the best are the answer's alternatives. Where no more exist "
        "there are fewer, and a note says so.",
    ),
    "temperature": Option(float, 0.01, 10, "Draw the sentence; above 1 the unlikely becomes likelier."),
    "top_p": Option(float, 0.01, 1, "Draw from the likeliest subwords that have so much probability together."),
    "seed": Option(int, 0, 2**63 - 1, "Draw the sentence; the same seed draws the same."),
    "no_repeat_ngram": Option(int, 1, MAX_LENGTH, "Runs of so many subwords come once only."),
    "min_length": Option(int, 0, MAX_LENGTH, "Subwords of the sentence at least."),
    "max_length": Option(int, 1, MAX_LENGTH, "Subwords of the sentence at most."),
}


def text_goal(task: str, end: int, steps: int, beams: int, options: Mapping[str, Any]) -> Goal:
    """What a row of a text is to decode.

    Args:
        steps, beams: of the checkpoint; a text may be shorter, not longer.

    Raises:
        InputError: ``bad_option``, an option that is out of range or contradicts another one.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        _check(name, value)
    longest, least = given.get("max_length", steps), given.get("min_length", 0)
    if not least <= longest <= steps:
        wrong = "min_length" if least > longest else "max_length"
        raise _bad(wrong, f"min_length and max_length go up to {steps} here, not {least} and {longest}", steps)
    sampling = _sampling(given)
    if sampling and "beams" in given:
        raise _bad("beams", "a text is either searched, with beams, or drawn, with temperature, top_p or seed", None)
    best = given.get("n_best", 1)
    kept = best if sampling else given.get("beams", max(beams, best))
    if best > kept:
        raise _bad("n_best", f"of {kept} beams there are {kept} texts at most, not {best}", kept)
    return Goal(task, longest, end, kept, best, Rules(least, given.get("no_repeat_ngram")), sampling)


def _check(name: str, value: Any) -> None:
    limits = TEXT_OPTIONS.get(name)
    if limits is None:
        known = ", ".join(TEXT_OPTIONS)
        raise InputError("unexpected_input", f"a text has no option {name}; it has {known}", input=name)
    kinds = (int, float) if limits.kind is float else (int,)
    if not isinstance(value, kinds) or isinstance(value, bool) or not math.isfinite(value):
        raise _bad(name, f"{name} must be a {'whole ' * (limits.kind is int)}number, not {value!r}", None)
    if not limits.least <= value <= limits.most:
        raise _bad(name, f"{name} must be from {limits.least} to {limits.most}, not {value}", limits.most)


def _sampling(given: Mapping[str, Any]) -> Sampling | None:
    drawn = {name: given[name] for name in ("temperature", "top_p", "seed") if name in given}
    if not drawn:
        return None
    return Sampling(**{"seed": random.randrange(2**31)} | drawn)


def _bad(name: str, message: str, limit: float | None) -> InputError:
    return InputError("bad_option", message, option=name, **({} if limit is None else {"limit": limit}))
