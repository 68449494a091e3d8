"""Table of a study's results, formatted as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Table:
    """Rows of metrics, each with one or several runs that differ only in their seed.

    Attributes:
        columns: metric -> heading.
        rows: name -> metrics of each run; a metric without a value is shown as a dash.
        middle: reduces the values of several runs to one: the median or the mean.
        notes: text below the table.
    """

    columns: Mapping[str, str]
    rows: Mapping[str, Sequence[Figures]]
    middle: Callable[[Sequence[float]], float] = median
    notes: str = ""

    def values(self, row: str, column: str) -> list[float]:
        """Return one metric of all runs that have it."""
        return [run[column] for run in self.rows[row] if column in run]

    def markdown(self) -> str:
        """Return Markdown with the middle of the runs, and with the range if there are several runs."""
        lines = [["", *self.columns.values()], ["---"] * (1 + len(self.columns))]
        lines += [[row, *(self._cell(row, column) for column in self.columns)] for row in self.rows]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return table + (f"\n{self.notes}\n" if self.notes else "")

    def _cell(self, row: str, column: str) -> str:
        values = self.values(row, column)
        if not values:
            return "-"
        low, high = min(values), max(values)
        return f"{self.middle(values):.4g}" + (f" ({low:.4g} to {high:.4g})" if low < high else "")
