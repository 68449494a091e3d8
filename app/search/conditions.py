"""Conditions of a search on the metadata of entries, and their JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omninet.app.search.entries import Vector
from omninet.model.errors import InputError

Value = str | float | bool
FIELD = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_CONDITIONS, MOST_VALUES = 16, 100
LIMITS = {"gte", "lte"}
EXAMPLE = '{"year": {"gte": 2020}, "place": ["Rome", "Paris"]}'


@dataclass(frozen=True)
class OneOf:
    """A field has one of these values; a field that is a list has at least one of them."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Between:
    """A field is a number within limits, which belong to the range; a list has such a number. None is no limit."""

    field: str
    gte: float | None
    lte: float | None


Condition = OneOf | Between


@dataclass(frozen=True)
class IndexQuery:
    """A search.

    Attributes:
        limit: maximum number of hits.
        exit, vector: which vectors are compared with this one of unit length; without one, all entries that meet the
            other requirements are found, the latest first, or those first that most likely have what ``contains`` says.
        conditions: all must hold.
        entity: a name that the text of an entry must mention; empty for any.
        contains: a part of the text of an entry, in any case of letters, or words that are written in the picture;
            empty for any.
    """

    limit: int
    exit: str = ""
    vector: Vector | None = None
    conditions: tuple[Condition, ...] = ()
    entity: str = ""
    contains: str = ""

    @property
    def is_filtered(self) -> bool:
        """Return whether an entry must meet a requirement besides its vector."""
        return bool(self.conditions or self.entity or self.contains)


def parse_filter(text: str) -> tuple[Condition, ...]:
    """Read the JSON of a filter: ``{"field": value | [values] | {"gte": x, "lte": y}}``.

    Raises:
        InputError: ``invalid_filter``; the message says what is wrong and shows an example.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _invalid(f"it is no valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise _invalid("it must be an object")
    if len(found) > MOST_CONDITIONS:
        raise _invalid(f"it has {len(found)} fields; at most {MOST_CONDITIONS} are allowed")
    return tuple(_condition(name, value) for name, value in found.items())


def _condition(name: str, value: Any) -> Condition:
    if not FIELD.fullmatch(name):
        raise _invalid(f"the field {name!r} must have 1 to 64 letters, digits, hyphens and underscores")
    if isinstance(value, Mapping):
        return _between(name, value)
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= MOST_VALUES:
        raise _invalid(f"{name!r} has {len(values)} values; 1 to {MOST_VALUES} are allowed")
    return OneOf(name, tuple(_value(name, each) for each in values))


def _value(name: str, value: Any) -> Value:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise _invalid(f"{name!r} must be a string, a finite number, true or false, not {value!r}")


def _between(name: str, limits: Mapping[str, Any]) -> Between:
    numbers = {key: value for key, value in limits.items() if _is_number(value)}
    if not limits or set(limits) - LIMITS or len(numbers) < len(limits):
        raise _invalid(f'{name!r} must have "gte", "lte" or both, each a finite number')
    gte, lte = numbers.get("gte"), numbers.get("lte")
    return Between(name, None if gte is None else float(gte), None if lte is None else float(lte))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _invalid(why: str) -> InputError:
    return InputError("invalid_filter", f"filter cannot be used: {why}; an example: {EXAMPLE}", field="filter")


def fields_of(conditions: Sequence[Condition]) -> list[str]:
    """Return the fields that conditions name, each once, in their order."""
    return list(dict.fromkeys(condition.field for condition in conditions))
