"""Sample files and texts of the page and the API documentation, from ``static/samples.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[1] / "static"


@dataclass(frozen=True)
class PageSample:
    """A sample file.

    Attributes:
        file: name below ``static/samples``.
        type: media type.
        label: description for people.
        texts: role of an input -> matching text, such as a question about the file.
        truths: field of an answer, such as ``caption`` -> what is true, and the answers that were judged: ``is``, and
            lists ``right``, ``partly``, ``wrong``; without ``wrong`` all other answers are wrong.
        credit: ``photo`` (its number in COCO), ``source``, ``coco``, ``licence``, ``licence_url``.
    """

    file: str
    type: str
    label: str
    texts: dict[str, str]
    truths: dict[str, dict[str, Any]]
    credit: dict[str, Any]


def sample_for(accept: str) -> PageSample | None:
    """Return the first sample whose media type matches ``accept``, a comma-separated list of patterns, or None."""
    patterns = [pattern.strip() for pattern in accept.split(",")]
    return next((each for each in _files() if any(fnmatch(each.type, pattern) for pattern in patterns)), None)


def text_for(role: str, sample: PageSample | None = None) -> str | None:
    """Return an example text for the input ``role``, preferably one that matches ``sample``; None without any."""
    if sample is not None and role in sample.texts:
        return sample.texts[role]
    texts = [*_read()["texts"].get(role, ()), *(each.texts[role] for each in _files() if role in each.texts)]
    return texts[0] if texts else None


def _files() -> list[PageSample]:
    return [PageSample(**each) for each in _read()["files"]]


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATIC / "samples.json").read_text(encoding="utf-8"))
    return found
