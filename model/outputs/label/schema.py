"""JSON schema of a label; a task may rename the field ``label``, for example to ``answer``."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, create_model

OWN_NAME = "label"


@cache
def label_schema(name: str) -> type[BaseModel]:
    """Return the pydantic model of a label whose field is called ``name``."""
    title = name.title()
    candidate = create_model(
        f"{title}Candidate", __doc__=f"A possible {name}.", **_fields({name: (str, ...), "probability": (float, ...)})
    )
    return create_model(
        f"{title}Body",
        __doc__=f"The most probable {name}, and the best five.",
        **_fields({name: (str, ...), "candidates": (list[candidate], ...)}),
    )


def _fields(named: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    return dict(named)
