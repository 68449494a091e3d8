"""Request options of text outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.options import text_goal
from omninet.model.decoding.rules import Rules
from omninet.model.decoding.sampling import Sampling
from omninet.model.errors import InputError


def goal(**options: Any) -> Goal:
    return text_goal("caption", 7, 40, 3, options)


def test_without_options_the_checkpoints_defaults_hold() -> None:
    assert goal() == goal(beams=None, seed=None) == Goal("caption", 40, end=7, beams=3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"beams": 1}, {"beams": 1}),
        ({"n_best": 2}, {"beams": 3, "best": 2}),
        ({"n_best": 5}, {"beams": 5, "best": 5}),
        ({"min_length": 4, "max_length": 9}, {"steps": 9, "rules": Rules(4)}),
        ({"no_repeat_ngram": 2}, {"rules": Rules(no_repeat_ngram=2)}),
        ({"temperature": 2, "seed": 1}, {"beams": 1, "sampling": Sampling(2, 1.0, 1)}),
        ({"top_p": 0.9, "seed": 0, "n_best": 4}, {"beams": 4, "best": 4, "sampling": Sampling(1.0, 0.9, 0)}),
    ],
)
def test_options(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert goal(**options) == replace(Goal("caption", 40, end=7, beams=3), **expected)


def test_without_a_seed_every_goal_has_another_seed() -> None:
    seeds = {goal(temperature=1.0).sampling for _ in range(5)}

    assert len(seeds) == 5


@pytest.mark.parametrize(
    ("options", "option", "message"),
    [
        ({"beams": 0}, "beams", "beams must be from 1 to 16, not 0"),
        ({"beams": 17}, "beams", "from 1 to 16, not 17"),
        ({"beams": 2.5}, "beams", "must be a whole number, not 2.5"),
        ({"beams": True}, "beams", "must be a whole number, not True"),
        ({"temperature": 0}, "temperature", "temperature must be from 0.01 to 10, not 0"),
        ({"temperature": float("nan")}, "temperature", "must be a number, not nan"),
        ({"top_p": "much"}, "top_p", "top_p must be a number, not 'much'"),
        ({"seed": -1}, "seed", "seed must be from 0"),
        ({"max_length": 41}, "max_length", "<= 40 must hold, not 0 and 41"),
        ({"min_length": 9, "max_length": 8}, "min_length", "<= 40 must hold, not 9 and 8"),
        ({"n_best": 3, "beams": 2}, "n_best", "n_best may be at most beams, 2, not 3"),
        ({"beams": 2, "top_p": 0.5}, "beams", "either beam search .beams. or sampling"),
    ],
)
def test_invalid_options(options: dict[str, Any], option: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        goal(**options)

    assert (caught.value.code, caught.value.detail["option"]) == ("bad_option", option)


def test_an_unknown_option() -> None:
    with pytest.raises(InputError, match="a text output has no option speed; known are beams, n_best") as caught:
        goal(speed=2)

    assert caught.value.code == "unexpected_input"
