"""How long a text may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import ServiceError


def check_length(inputs: Mapping[str, Any], most: int) -> None:
    """Hold that no text among a request's inputs has more than so many characters.

    Raises:
        ServiceError: ``text_too_long``, ``question_too_long``.
    """
    for name in ("text", "tokens", "question"):
        characters = _characters(inputs.get(name) or "")
        if characters > most:
            what = "question" if name == "question" else "text"
            message = f"the {what} has {characters} characters; at most {most} are accepted"
            raise ServiceError(413, f"{what}_too_long", message, characters=characters, limit=most)


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else sum(map(_characters, value))
