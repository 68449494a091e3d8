"""What was measured, as JSON, as tables and in the checkpoint's card."""

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
    """The measures of one checkpoint.

    Attributes:
        name, version, weights_sha256: of the checkpoint.
        split: of the data sets.
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
        """All of it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Tables of all but the confusion and what is outside the data."""
        parts = [table(self.measures)]
        if self.zero_shot:
            parts += [motion_table(self.zero_shot.motion), naming_table(self.zero_shot.naming)]
        parts.append(shuffled_table(self.orders))
        return "\n".join(filter(None, parts))


def sections(report: Report, command: str) -> dict[str, str]:
    """Heading -> what the card says below it: the figures and the command that gave them."""
    found = {HEADING: f"On the {report.split} splits, by `{command}`:\n\n{report.to_markdown()}"}
    if report.outside:
        found[outside.HEADING] = outside.section(report.outside, command)
    return found


def write_to_card(folder: Path, report: Report, command: str) -> None:
    """Put the figures and the command that gave them into the checkpoint's card."""
    card = (folder / checkpoints.CARD).read_text(encoding="utf-8")
    for heading, body in sections(report, command).items():
        card = with_section(card, heading, body)
    checkpoints.replace_card(folder, card)
