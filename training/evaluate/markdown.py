"""Markdown: tables, and the sections of a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable


def rows(heading: str, cells: Iterable[Iterable[str]]) -> str:
    """A table, or nothing where it has no rows.

    Args:
        heading: of the columns, ``a | b | c``.
    """
    lines = [f"| {' | '.join(map(cell, row))} |" for row in cells]
    if not lines:
        return ""
    rule = "|---" * (heading.count("|") + 1) + "|"
    return "\n".join([f"| {heading} |", rule, *lines]) + "\n"


def cell(text: str) -> str:
    """Without what would end a cell or a row."""
    return " ".join(text.replace("|", " ").split())


def with_section(card: str, heading: str, body: str) -> str:
    """A card with a section, in the place of the earlier one of that heading if there is one.

    Args:
        heading: such as ``## Evaluation``.
        body: what stands below it, up to a line's end.
    """
    section = f"{heading}\n\n{body}"
    pattern = re.compile(rf"^{re.escape(heading)}\n.*?(?=\n## |\Z)", re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda _: section, card) if pattern.search(card) else f"{card.rstrip()}\n\n{section}"
