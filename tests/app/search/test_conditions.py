"""The JSON of a filter."""

from __future__ import annotations

import json

import pytest

from omninet.app.search.conditions import Between, Condition, OneOf, parse_filter
from omninet.model.errors import InputError


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("{}", ()),
        ('{"place": "Rome"}', (OneOf("place", ("Rome",)),)),
        ('{"year": 2020}', (OneOf("year", (2020.0,)),)),
        ('{"is_mine": true}', (OneOf("is_mine", (True,)),)),
        ('{"place": ["Rome", 3, false]}', (OneOf("place", ("Rome", 3.0, False)),)),
        ('{"year": {"gte": 2020}}', (Between("year", 2020.0, None),)),
        ('{"year": {"gte": 1, "lte": 2.5}, "a-b": "c"}', (Between("year", 1.0, 2.5), OneOf("a-b", ("c",)))),
    ],
)
def test_filters(text: str, conditions: tuple[Condition, ...]) -> None:
    assert parse_filter(text) == conditions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is no valid JSON"),
        ("[]", "it must be an object"),
        (json.dumps(dict.fromkeys(map(str, range(17)), 1)), "it has 17 fields; at most 16 are allowed"),
        ('{"a.b": 1}', "the field 'a.b' must have 1 to 64 letters"),
        ('{"": 1}', "the field '' must have 1 to 64 letters"),
        ('{"a": []}', "'a' has 0 values; 1 to 100 are allowed"),
        (json.dumps({"a": [1] * 101}), "'a' has 101 values"),
        ('{"a": null}', "'a' must be a string, a finite number, true or false, not None"),
        ('{"a": [[1]]}', r"not \[1\]"),
        ('{"a": NaN}', "not nan"),
        ('{"a": {}}', '\'a\' must have "gte", "lte" or both, each a finite number'),
        ('{"a": {"gt": 1}}', "'a' must have \"gte\""),
        ('{"a": {"gte": "1"}}', "'a' must have \"gte\""),
        ('{"a": {"gte": true}}', "'a' must have \"gte\""),
        ('{"a": {"gte": Infinity}}', "'a' must have \"gte\""),
    ],
)
def test_wrong_filters_are_explained(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_filter(text)
    assert (caught.value.code, caught.value.detail["field"]) == ("invalid_filter", "filter")
