"""Helpers for Markdown: tables, and sections of a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable


def rows(heading: str, cells: Iterable[Iterable[str]]) -> str:
    """Return a table, or an empty string if there are no rows.

    Args:
        heading: titles of the columns, ``a | b | c``.
    """
    lines = [f"| {' | '.join(map(cell, row))} |" for row in cells]
    if not lines:
        return ""
    rule = "|---" * (heading.count("|") + 1) + "|"
    return "\n".join([f"| {heading} |", rule, *lines]) + "\n"


def cell(text: str) -> str:
    """Remove characters that would end a table cell or row."""
    return " ".join(text.replace("|", " ").split())


def with_section(card: str, heading: str, body: str) -> str:
    """Return a card with a section added, or replaced if the heading exists.

    Args:
        heading: such as ``## Evaluation``.
        body: text below the heading; ends with a newline.
    """
    section = f"{heading}\n\n{body}"
    pattern = re.compile(rf"^{re.escape(heading)}\n.*?(?=\n## |\Z)", re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda _: section, card) if pattern.search(card) else f"{card.rstrip()}\n\n{section}"
