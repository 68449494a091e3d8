"""The table of fields of an embedded index, and the conditions of searches on it, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from omninet.app.search.conditions import Condition, IndexQuery, OneOf, Value
from omninet.app.search.entries import Entry, folded
from omninet.app.search.written import Wanted

EQUAL = "name = ? AND kind = ? AND value = ?"
# Kinds of values in the table of fields; entities are values of a field without a name.
WORD, NUMBER, FLAG, ENTITY = "word", "number", "flag", "entity"


def where(query: IndexQuery, sought: Wanted | None, one_by_one: bool) -> tuple[str, list[str | float]]:
    """Return the WHERE clause of a query's requirements besides the vector, with its values.

    Args:
        sought: what ``IndexQuery.contains`` asks for; None if it is empty.
        one_by_one: test each entry by its own fields, in place of listing all entries that meet a requirement.
    """
    wanted = [_condition(condition) for condition in query.conditions]
    if query.entity:
        wanted.append(([EQUAL], ["", ENTITY, folded(query.entity)]))
    having = _each_having if one_by_one else _all_having
    parts = ["1", *(having(tests) for tests, _ in wanted)]
    values = [value for _, given in wanted for value in given]
    if sought:
        listed = "seq IN (SELECT seq FROM words WHERE word IN ({}))"
        written = " AND ".join(listed.format(_marks(near)) for near in sought.words)
        parts.append(f"(instr(folded_text, ?) > 0{f' OR ({written})' if written else ''})")
        values += [sought.text, *(word for near in sought.words for word in near)]
    return " AND ".join(parts), values


def likelihood(sought: Wanted) -> tuple[str, list[str | float]]:
    """Return an expression for the probability that an entry has what is sought, with its values.

    It is 1 if the text has it, else that of the word that is least likely written.
    """
    each = [
        f"(SELECT max(probability * CASE word {'WHEN ? THEN ? ' * len(near)}END) FROM words "
        f"WHERE words.seq = entries.seq AND word IN ({_marks(near)}))"
        for near in sought.words
    ]
    least = f"min({', '.join(each)})" if len(each) > 1 else "".join(each) or "0"
    values: list[str | float] = [sought.text]
    for near in sought.words:
        values += [part for pair in near.items() for part in pair]
        values += near
    return f"CASE WHEN instr(folded_text, ?) > 0 THEN 1.0 ELSE {least} END", values


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


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
