"""What was measured, as JSON, as tables and in the checkpoint's card."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from model import checkpoint as checkpoints
from training.evaluate.measures import Measure
from training.evaluate.tables import motion_table, naming_table, table
from training.evaluate.zero_shot import ZeroShot

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

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Tables of all but the confusion."""
        parts = [table(self.measures)]
        if self.zero_shot:
            parts += [motion_table(self.zero_shot.motion), naming_table(self.zero_shot.naming)]
        return "\n".join(filter(None, parts))


def write_to_card(folder: Path, report: Report, command: str) -> None:
    """Put the figures and the command that gave them into the checkpoint's card."""
    section = f"{HEADING}\n\nOn the {report.split} splits, by `{command}`:\n\n{report.to_markdown()}"
    card = (folder / checkpoints.CARD).read_text(encoding="utf-8")
    pattern = re.compile(rf"{HEADING}\n.*?(?=\n## |\Z)", re.DOTALL)
    card = pattern.sub(lambda _: section, card) if pattern.search(card) else f"{card.rstrip()}\n\n{section}"
    checkpoints.replace_card(folder, card)
