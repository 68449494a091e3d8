"""Limit on the length of texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omninet.app.errors import ServiceError


def check_length(values: Iterable[tuple[str, Any]], most: int) -> None:
    """Check the number of characters of each value, summed over all strings in it.

    Args:
        values: pairs of an input's role and its value, a string or nested lists and dictionaries of strings.
        most: upper limit in characters.

    Raises:
        ServiceError: the role plus ``_too_long``, such as ``question_too_long``.
    """
    for role, value in values:
        if (characters := _characters(value)) > most:
            message = f"the {role} has {characters} characters; at most {most} are accepted"
            raise ServiceError(413, f"{role}_too_long", message, characters=characters, limit=most)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, [*value.keys(), *value.values()]))
    return sum(map(_characters, value)) if isinstance(value, (list, tuple)) else 0
