"""What the people who made a checkpoint say about it: its model card and its licence. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_SUMMARY = 300  # characters


@dataclass(frozen=True)
class Documents:
    """Texts of a checkpoint.

    Attributes:
        card: text of MODEL_CARD.md, Markdown.
        licence: text of LICENSE; empty without that file.
    """

    card: str = ""
    licence: str = ""

    @property
    def licence_name(self) -> str:
        """First line of the licence that is not empty; empty without a licence."""
        return next((line.strip("# \t") for line in self.licence.splitlines() if line.strip("# \t")), "")

    @property
    def summary(self) -> str:
        """First paragraph of the card on one line, shortened; empty if the card begins with something else."""
        paragraphs = [paragraph.strip() for paragraph in self.card.split("\n\n")]
        first = next((each for each in paragraphs if each and not each.startswith("#")), "")
        if first.startswith(("|", "-", "*", "`", ">")):
            return ""
        line = " ".join(first.split())
        return line if len(line) <= LONGEST_SUMMARY else line[: LONGEST_SUMMARY - 1].rsplit(" ", 1)[0] + "…"
