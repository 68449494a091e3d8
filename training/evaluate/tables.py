"""Tables of metrics in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.evaluate.measures import Measure
from omninet.training.evaluate.zero_shot import Comparison, Naming


def table(measures: Sequence[Measure]) -> str:
    """Return tables of the headline metrics, the controls for visual questions, and the further metrics."""
    headlines = [
        (m.task, m.data, m.name, f"{m.value:.1f}", f"{m.constant:.1f}", m.constant_answer, str(m.count))
        for m in measures
    ]
    further = [(m.task, m.data, f.name, f"{f.value:.1f}", f"{f.constant:.1f}") for m in measures for f in m.further]
    blind = [
        (
            m.task,
            m.data,
            m.name,
            f"{m.value:.1f}",
            _figure(m.other_photo),
            _figure(m.question_only),
            f"{m.constant:.1f}",
        )
        for m in measures
        if m.question_only is not None
    ]
    parts = [
        _rows("task | data | measure | network | best constant | the constant | examples", headlines),
        _rows("task | data | measure | network | asked about another photo | question alone | best constant", blind),
        _rows("task | data | further measure | network | best constant", further),
    ]
    return "\n".join(filter(None, parts))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def motion_table(motion: Sequence[Comparison]) -> str:
    """Return a table that compares photos in motion with still photos."""
    rows = [
        (
            c.task,
            c.data,
            c.name,
            f"{c.still:.1f}",
            f"{c.moving:.1f}",
            "-" if c.ratio is None else f"{c.ratio:.0%}",
            str(c.count),
        )
        for c in motion
    ]
    return _rows("zero-shot | data | measure | photos | photos in motion | ratio | examples", rows)


def naming_table(naming: Sequence[Naming]) -> str:
    """Return a table of how many captions name the class of their clip."""
    rows = [(n.label, f"{n.named:.1f}", f"{n.control:.1f}", str(n.count)) for n in naming]
    return _rows("class of clips | % of captions that name it | the same words elsewhere | clips", rows)


def _rows(heading: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a table, or an empty string if there are no rows."""
    if not rows:
        return ""
    lines = [f"| {heading} |", "|---" * len(rows[0]) + "|"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Remove characters that would end a table cell or row."""
    return " ".join(text.replace("|", " ").split())
