"""The conditions of searches on an index in PostgreSQL, in SQL."""

from __future__ import annotations

import json
from typing import Any

from omninet.app.search.conditions import Between, Condition, IndexQuery, OneOf
from omninet.app.search.entries import folded
from omninet.app.search.written import Wanted


def likelihood(sought: Wanted) -> tuple[str, list[Any]]:
    """Return an expression for the probability that an entry has what is sought, with its values.

    It is 1 if the text has it, else that of the word that is least likely written.
    """
    each, values = [], list[Any]([sought.text])
    for words in sought.words:
        each.append(
            "(SELECT max(probability * share) FROM omninet_words "
            "JOIN unnest(%s::text[], %s::real[]) AS near(word, share) USING (word) "
            "WHERE omninet_words.seq = omninet_entries.seq)"
        )
        values += [list(words), list(words.values())]
    least = f"least({', '.join(each)})" if each else "0"
    return f"CASE WHEN strpos(folded_text, %s) > 0 THEN 1.0 ELSE {least} END", values


def where(query: IndexQuery, sought: Wanted | None) -> tuple[str, list[Any]]:
    """Return the WHERE clause of a query's requirements besides the vector, with its values."""
    parts, values = ["true"], list[Any]()
    for condition in query.conditions:
        part, given = _condition(condition)
        parts.append(part)
        values += given
    if query.entity:
        parts.append("folded_entities @> ARRAY[%s]::text[]")
        values.append(folded(query.entity))
    if sought:
        having = "seq IN (SELECT seq FROM omninet_words WHERE word = ANY(%s))"
        written = " AND ".join(having for _ in sought.words)
        parts.append(f"(strpos(folded_text, %s) > 0{f' OR ({written})' if written else ''})")
        values += [sought.text, *(list(words) for words in sought.words)]
    return " AND ".join(parts), values


def _condition(condition: Condition) -> tuple[str, list[Any]]:
    if isinstance(condition, OneOf):
        # A value itself, or a list that has it; both are found by the index of the column.
        given = [json.dumps({condition.field: each}) for value in condition.values for each in (value, [value])]
        return f"({' OR '.join(['metadata @> %s::jsonb'] * len(given))})", given
    return "jsonb_path_exists(metadata, %s::jsonpath, %s::jsonb)", _range(condition)


def _range(condition: Between) -> list[Any]:
    """Return the path that selects numbers within limits, of a value or of the elements of a list, and the limits."""
    limits = {"gte": condition.gte, "lte": condition.lte}
    tests = [f"@ {sign} ${name}" for name, sign in (("gte", ">="), ("lte", "<=")) if limits[name] is not None]
    return [f"lax $.{json.dumps(condition.field)} ? ({' && '.join(tests)})", json.dumps(limits)]
