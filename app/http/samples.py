"""Files and texts to try tasks on, which the page and the documentation show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[1] / "static"


@dataclass(frozen=True)
class Sample:
    """A file.

    Attributes:
        type: its media type.
        texts: role of an input -> a text that goes with the file.
    """

    file: str
    type: str
    label: str
    texts: dict[str, str]


def sample_for(accept: str) -> Sample | None:
    """Return a file that a field takes, by the media types that it accepts; None where there is none."""
    patterns = [pattern.strip() for pattern in accept.split(",")]
    return next((each for each in _files() if any(fnmatch(each.type, pattern) for pattern in patterns)), None)


def text_for(role: str, sample: Sample | None = None) -> str | None:
    """Return a text for an input of a role, one that goes with a sample if there is one."""
    if sample is not None and role in sample.texts:
        return sample.texts[role]
    texts = [*_read()["texts"].get(role, ()), *(each.texts[role] for each in _files() if role in each.texts)]
    return texts[0] if texts else None


def _files() -> list[Sample]:
    return [Sample(**each) for each in _read()["files"]]


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATIC / "samples.json").read_text(encoding="utf-8"))
    return found
