"""Request options of text outputs."""

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
    """Options of a text output; missing or None means the checkpoint's default, or off.

    Attributes:
        beams: width of the beam search; 1 is greedy.
        n_best: number of distinct texts to return, best first; fewer if no more exist.
        temperature, top_p: sample the text; see Sampling.
        seed: seed of the sampling; without a seed every call may return another text.
        no_repeat_ngram: n-grams of this many subwords occur at most once.
        min_length, max_length: limits of the text's length, in subwords.
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
        kind: type of the value.
        least, most: allowed range of a number, both ends included; None for no limit.
        summary: description for command-line help and API documentation.
        choices: allowed values; empty if any value of the type is.
        shape: description of values that are JSON, for error messages.
    """

    kind: Any
    least: float | None
    most: float | None
    summary: str
    choices: tuple[str, ...] = ()
    shape: str = ""


MAX_BEAMS = 16
MAX_LENGTH = 10_000  # subwords; a checkpoint has a lower limit of its own
TEXT_OPTIONS: Mapping[str, Option] = {
    "beams": Option(
        int,
        1,
        MAX_BEAMS,
        "Width of the beam search: hypotheses that are kept at each step; 1 is greedy and the fastest. Default: the "
        "checkpoint's.",
    ),
    "n_best": Option(
        int,
        1,
        MAX_BEAMS,
        "Number of different sentences to return; all but the best are the answer's alternatives. If fewer exist, a "
        "note says so.",
    ),
    "temperature": Option(float, 0.01, 10, "Sample at this temperature; above 1, unlikely subwords become likelier."),
    "top_p": Option(
        float,
        0.01,
        1,
        "Sample from the likeliest subwords with this total probability (nucleus).",
    ),
    "seed": Option(int, 0, 2**63 - 1, "Sample the sentence with this seed; equal seeds give equal sentences."),
    "no_repeat_ngram": Option(int, 1, MAX_LENGTH, "n-grams of this many subwords occur at most once."),
    "min_length": Option(int, 0, MAX_LENGTH, "Minimum length of the sentence, in subwords."),
    "max_length": Option(int, 1, MAX_LENGTH, "Maximum length of the sentence, in subwords."),
}


def text_goal(task: str, end: int, steps: int, beams: int, options: Mapping[str, Any]) -> Goal:
    """Return the decoding settings of a text from the options of a request.

    Args:
        end: id of the end token.
        steps: maximum length of the checkpoint's texts, in subwords; an option may lower it.
        beams: default width of the beam search.
        options: see TextOptions.

    Raises:
        InputError: ``bad_option``, an option is out of range or contradicts another one; ``unexpected_input``, there is
            no such option.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        _check(name, value)
    longest, least = given.get("max_length", steps), given.get("min_length", 0)
    if not least <= longest <= steps:
        wrong = "min_length" if least > longest else "max_length"
        raise _bad(wrong, f"min_length <= max_length <= {steps} must hold, not {least} and {longest}", steps)
    sampling = _sampling(given)
    if sampling and "beams" in given:
        raise _bad("beams", "use either beam search (beams) or sampling (temperature, top_p or seed), not both", None)
    best = given.get("n_best", 1)
    kept = best if sampling else given.get("beams", max(beams, best))
    if best > kept:
        raise _bad("n_best", f"n_best may be at most beams, {kept}, not {best}", kept)
    return Goal(task, longest, end, kept, best, Rules(least, given.get("no_repeat_ngram")), sampling)


def _check(name: str, value: Any) -> None:
    limits = TEXT_OPTIONS.get(name)
    if limits is None:
        known = ", ".join(TEXT_OPTIONS)
        raise InputError("unexpected_input", f"a text output has no option {name}; known are {known}", input=name)
    check_number(name, value, limits)


def check_number(name: str, value: Any, limits: Option) -> None:
    """Check the value of an option that is a number with limits.

    Raises:
        InputError: ``bad_option``.
    """
    kinds = (int, float) if limits.kind is float else (int,)
    if not isinstance(value, kinds) or isinstance(value, bool) or not math.isfinite(value):
        raise _bad(name, f"{name} must be a {'whole ' * (limits.kind is int)}number, not {value!r}", None)
    assert limits.least is not None
    assert limits.most is not None
    if not limits.least <= value <= limits.most:
        raise _bad(name, f"{name} must be from {limits.least} to {limits.most}, not {value}", limits.most)


def _sampling(given: Mapping[str, Any]) -> Sampling | None:
    drawn = {name: given[name] for name in ("temperature", "top_p", "seed") if name in given}
    if not drawn:
        return None
    return Sampling(**{"seed": random.randrange(2**31)} | drawn)


def _bad(name: str, message: str, limit: float | None) -> InputError:
    return InputError("bad_option", message, option=name, **({} if limit is None else {"limit": limit}))
