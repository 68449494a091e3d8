"""Tables of studies."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

from omninet.training.table import Table

TABLE = Table(
    {"pos": "POS acc.", "vqa": "VQA acc."},
    {"paper": [{"pos": 95.44}], "ours": [{"pos": 90.0, "vqa": 20.0}, {"pos": 91.5, "vqa": 20.0}, {"pos": 93.0}]},
)


def test_medians_with_the_lowest_and_the_highest() -> None:
    assert TABLE.markdown() == (
        "|  | POS acc. | VQA acc. |\n| --- | --- | --- |\n| paper | 95.44 | - |\n| ours | 91.5 (90 to 93) | 20 |\n"
    )


def test_means_with_notes() -> None:
    table = replace(TABLE, columns={"pos": "POS acc."}, middle=fmean, notes="Three seeds.")

    assert table.markdown().endswith("| ours | 91.5 (90 to 93) |\n\nThree seeds.\n")
