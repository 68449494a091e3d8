"""The table of fields of an embedded index, and the conditions of searches on it, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.app.search.conditions import Condition, IndexQuery, OneOf, Value
from omninet.app.search.entries import Entry, folded

EQUAL = "name = ? AND kind = ? AND value = ?"
# Kinds of values in the table of fields; entities are values of a field without a name.
WORD, NUMBER, FLAG, ENTITY = "word", "number", "flag", "entity"


def where(query: IndexQuery, one_by_one: bool) -> tuple[str, list[str | float]]:
    """Return the WHERE clause of a query's requirements besides the vector, with its values.

    Args:
        one_by_one: test each entry by its own fields, in place of listing all entries that meet a requirement.
    """
    wanted = [_condition(condition) for condition in query.conditions]
    if query.entity:
        wanted.append(([EQUAL], ["", ENTITY, folded(query.entity)]))
    having = _each_having if one_by_one else _all_having
    parts = ["1", *(having(tests) for tests, _ in wanted)]
    values = [value for _, given in wanted for value in given]
    if query.contains:
        parts.append("instr(folded_text, ?) > 0")
        values.append(folded(query.contains))
    return " AND ".join(parts), values


def _all_having(tests: Sequence[str]) -> str:
    """Return a condition on entries that is tested by listing all that have a field which meets one of the tests."""
    return f"seq IN ({' UNION '.join(f'SELECT seq FROM fields WHERE {test}' for test in tests)})"


def _each_having(tests: Sequence[str]) -> str:
    """Return a condition on entries that is tested by looking at the fields of each."""
    fields = "SELECT 1 FROM fields INDEXED BY fields_of_entry WHERE fields.seq = entries.seq"
    return f"EXISTS ({fields} AND ({' OR '.join(tests)}))"


def _condition(condition: Condition) -> tuple[list[str], list[str | float]]:
    """Return tests of a field, of which one must hold, with their values."""
    if isinstance(condition, OneOf):
        found = [(condition.field, *_typed(value)) for value in condition.values]
        return [EQUAL] * len(found), [part for parts in found for part in parts]
    limits = {" AND value >= ?": condition.gte, " AND value <= ?": condition.lte}
    tests = "".join(test for test, limit in limits.items() if limit is not None)
    given = [limit for limit in limits.values() if limit is not None]
    return [f"name = ? AND kind = ?{tests}"], [condition.field, NUMBER, *given]


def fields_of(entry: Entry) -> list[tuple[str, str, str | float]]:
    """Return name, kind and value of all that a search can ask for; other values of the metadata are left out."""
    values = [
        (name, value)
        for name, given in entry.metadata.items()
        for value in (given if isinstance(given, list) else [given])
        if isinstance(value, str | int | float)
    ]
    return [*((name, *_typed(value)) for name, value in values), *(("", ENTITY, folded(e)) for e in entry.entities)]


def _typed(value: Value) -> tuple[str, str | float]:
    """Return the kind of a value, and the value as it is stored; true is no number."""
    if isinstance(value, bool):
        return FLAG, str(value)
    return (WORD, value) if isinstance(value, str) else (NUMBER, float(value))
