"""Results of the load test as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.load.alone import Alone
from benchmarks.load.ceiling import Ceiling
from benchmarks.load.metrics import Cell, Latency

BUSY = 32  # number of clients at which variants are compared
ENDPOINT = {"captions": "caption", "pos": "pos"}  # endpoint of the workloads that use only one
REFUSALS = ("overloaded",)


@dataclass(frozen=True)
class Results:
    """All results of a load test.

    Attributes:
        conditions: name -> machine, software and settings.
        titles: key -> title of the variants; the first one is ours.
        tried: requests per second of the mix, for each tried setting of a baseline; the best is used.
        health_rate: responses per second of an endpoint that does nothing, the limit of the load generator.
        beside: the bare model's best rows per second directly before and after a workload on our engine.
    """

    conditions: dict[str, str]
    ceilings: dict[str, Ceiling]
    titles: dict[str, str]
    tried: dict[str, float]
    health_rate: float
    cells: list[Cell] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)
    beside: dict[str, tuple[float, float]] = field(default_factory=dict)

    def cell(self, variant: str, workload: str, clients: int) -> Cell | None:
        """Return the result of one variant, workload and number of clients, if measured."""
        wanted = variant, workload, clients
        return next((cell for cell in self.cells if (cell.variant, cell.workload, cell.clients) == wanted), None)

    def rate(self, variant: str, workload: str, clients: int = BUSY) -> float:
        """Return requests per second; NaN if not measured."""
        cell = self.cell(variant, workload, clients)
        return cell.all.rate if cell else float("nan")

    def loads(self) -> list[tuple[str, int]]:
        """Return pairs of workload and number of clients, in the order of the run."""
        return list(dict.fromkeys((cell.workload, cell.clients) for cell in self.cells))


def save(results: Results, out: Path) -> None:
    """Write ``serving.json`` and ``serving.md``."""
    (out / "serving.json").write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")
    (out / "serving.md").write_text(markdown(results), encoding="utf-8")


def markdown(results: Results) -> str:
    """Return the report in Markdown."""
    parts = ["# Serving under load", _conditions(results), "## The bare model", _ceilings(results.ceilings)]
    parts += ["## Requests a second", _rates(results), "## Against the bare model and the others", _shares(results)]
    parts += ["## Added to a single request", _overheads(results), "## Latency", _latencies(results)]
    parts += ["## Latency by endpoint", _by_endpoint(results), "## Errors, memory and processors", _costs(results)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _conditions(results: Results) -> str:
    lines = [f"- {name}: {value}" for name, value in results.conditions.items()]
    lines += [f"- ({key}) {title}" for key, title in results.titles.items()]
    lines += [f"- tried on the mix: {title}: {rate:.1f} requests/s" for title, rate in results.tried.items()]
    lines += [f"- /healthz answers the load generator {results.health_rate:.0f} times a second"]
    return "\n".join(lines)


def _ceilings(ceilings: Mapping[str, Ceiling]) -> str:
    sizes = list(next(iter(ceilings.values())).rates)
    head = ["rows/s", "batch", *map(str, sizes), "best"]
    rows = [
        [f"/{endpoint}", name, *(_number(rates.get(size)) for size in sizes), _number(max(rates.values()))]
        for endpoint, ceiling in ceilings.items()
        for name, rates in (("whole", ceiling.rates), ("running", ceiling.continuous))
    ]
    return table(head, rows)


def _rates(results: Results) -> str:
    rows = [
        [workload, clients, *(f"{results.rate(key, workload, clients):.1f}" for key in results.titles)]
        for workload, clients in results.loads()
    ]
    return table(["workload", "clients", *(f"({key})" for key in results.titles)], rows)


def _shares(results: Results) -> str:
    ours, *others = results.titles
    rows = []
    for workload in dict.fromkeys(workload for workload, clients in results.loads() if clients == BUSY):
        rate = results.rate(ours, workload)
        found = results.beside.get(workload)
        share = f"{rate / (sum(found) / 2):.0%} of {found[0]:.0f} before, {found[1]:.0f} after" if found else ""
        rows.append([workload, share, *(_times(rate, results.rate(key, workload)) for key in others)])
    return table([f"({ours}) at {BUSY} clients", "of the bare model's best", *(f"times ({k})" for k in others)], rows)


def _times(rate: float, other: float) -> str:
    return f"{rate / other:.2f}" if other else ""


def _overheads(results: Results) -> str:
    rows = [
        [f"/{a.endpoint}", f"({a.variant})", *map(_number, (a.model, a.served)), f"{a.added:.1f} ms, {a.share:.0%}"]
        for a in sorted(results.alone, key=lambda alone: alone.endpoint)
    ]
    return table(["median ms", "variant", "model", "served", "added"], rows)


def _latencies(results: Results) -> str:
    rows = [
        [workload, clients, *(_quantiles(results.cell(key, workload, clients)) for key in results.titles)]
        for workload, clients in results.loads()
    ]
    return table(["p50 / p90 / p99 ms", "clients", *(f"({key})" for key in results.titles)], rows)


def _quantiles(cell: Cell | None, endpoint: str = "all") -> str:
    found = cell and cell.endpoints.get(endpoint)
    return " / ".join(_number(value, 0) for value in (found.p50, found.p90, found.p99)) if found else ""


def _by_endpoint(results: Results) -> str:
    rows = [
        [workload, clients, f"/{endpoint}", *(_quantiles(cells[key], endpoint) for key in results.titles)]
        for workload, clients in results.loads()
        if (cells := {key: results.cell(key, workload, clients) for key in results.titles})
        for endpoint in _endpoints(cells.values())
    ]
    return table(["p50 / p90 / p99 ms", "clients", "endpoint", *(f"({key})" for key in results.titles)], rows)


def _endpoints(cells: Iterable[Cell | None]) -> list[str]:
    """Return the endpoints of the cells if there are several, else an empty list."""
    found = sorted({name for cell in cells if cell for name in cell.endpoints} - {"all"})
    return found if len(found) > 1 else []


def _costs(results: Results) -> str:
    rows = [[c.workload, c.clients, f"({c.variant})", *_refused(c.errors), c.wrong, *_taken(c)] for c in results.cells]
    head = ["workload", "clients", "variant", "refused (503)", "other errors", "other answers"]
    return table([*head, "most memory, MB", "cores, server", "cores, clients"], rows)


def _taken(cell: Cell) -> list[str]:
    return [f"{cell.memory_mb:.0f}", f"{cell.server_cores:.2f}", f"{cell.client_cores:.2f}"]


def _refused(errors: Mapping[str, int]) -> tuple[int, str]:
    others = ", ".join(f"{count} {code}" for code, count in errors.items() if code not in REFUSALS)
    return sum(errors.get(code, 0) for code in REFUSALS), others or "0"


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def latency(results: Results, variant: str, workload: str, endpoint: str) -> Latency | None:
    """Return the latency of an endpoint with BUSY clients."""
    cell = results.cell(variant, workload, BUSY)
    return cell.endpoints.get(endpoint) if cell else None
