"""Evaluation report as JSON, as Markdown and as sections of the model card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from omninet.model import checkpoint as checkpoints
from omninet.training.evaluate import outside
from omninet.training.evaluate.markdown import with_section
from omninet.training.evaluate.measures import Measure
from omninet.training.evaluate.outside import Outside
from omninet.training.evaluate.shuffled import Order, shuffled_table
from omninet.training.evaluate.tables import motion_table, naming_table, table
from omninet.training.evaluate.zero_shot import ZeroShot

HEADING = "## Evaluation"


@dataclass(frozen=True)
class Report:
    """Results of one checkpoint.

    Attributes:
        name, version, weights_sha256: of the checkpoint.
        split: evaluated split of the data sets.
    """

    name: str
    version: str
    weights_sha256: str
    split: str
    measures: tuple[Measure, ...]
    zero_shot: ZeroShot | None = None
    orders: tuple[Order, ...] = ()
    outside: Outside | None = None

    def to_json(self) -> str:
        """Return the complete report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return tables of everything except confusion matrices and pictures outside the data."""
        parts = [table(self.measures)]
        if self.zero_shot:
            parts += [motion_table(self.zero_shot.motion), naming_table(self.zero_shot.naming)]
        parts.append(shuffled_table(self.orders))
        return "\n".join(filter(None, parts))


def sections(report: Report, command: str) -> dict[str, str]:
    """Return heading -> body of the model card's sections, with the command that reproduces them."""
    found = {HEADING: f"On the {report.split} splits, by `{command}`:\n\n{report.to_markdown()}"}
    if report.outside:
        found[outside.HEADING] = outside.section(report.outside, command)
    return found


def write_to_card(folder: Path, report: Report, command: str) -> None:
    """Add the results, with the command that reproduces them, to the checkpoint's model card."""
    card = (folder / checkpoints.CARD).read_text(encoding="utf-8")
    for heading, body in sections(report, command).items():
        card = with_section(card, heading, body)
    checkpoints.replace_card(folder, card)
