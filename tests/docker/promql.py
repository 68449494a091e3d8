"""Parser for the metrics and labels that a PromQL expression reads."""

from __future__ import annotations

import re

WORDS = {"and", "bool", "or", "unless"}
STRING = r'"(?:[^"\\]|\\.)*"'
SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*)\s*(?:\{{((?:{STRING}|[^}}\"])*)\}})?(?!\s*\(|[\w:])")


def selected(expression: str) -> list[tuple[str, set[str]]]:
    """Return the metrics of an expression, each with the labels of its matchers."""
    rest = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    rest = re.sub(r"\[[^\]]*\]", " ", rest)
    found = [(name, matchers or "") for name, matchers in SELECTOR.findall(rest) if name not in WORDS]
    return [(name, set(re.findall(r"(\w+)\s*[=!]", re.sub(STRING, "", matchers)))) for name, matchers in found]
