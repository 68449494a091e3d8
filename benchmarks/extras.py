"""Latency of explanations and streams for single requests at running services, in turn.

    omninet serve --port 8001
    python -m benchmarks.extras http://127.0.0.1:8001 [URL of another service, such as an older version]

Prints median milliseconds: of a complete response for every kind of request, and of the first event of a stream. An
option that a service rejects is shown as a dash.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from typing import Any

import httpx

from omninet.app.http.samples import STATIC

ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "/caption": ("image", "frisbee.jpg", {}),
    "/caption, greedy": ("image", "frisbee.jpg", {"beams": "1"}),
    "/vqa": ("image", "frisbee.jpg", {"question": "What is it?"}),
    "/activity": ("video", "tennis.webm", {}),
}
KINDS: dict[str, dict[str, str]] = {
    "plain": {},
    "explain=true": {"explain": "true"},
    "explain_layers=true": {"explain_layers": "true"},
    "format=png": {"format": "png"},
    "first of stream=true": {"stream": "true"},
}


def milliseconds(client: httpx.Client, path: str, files: Mapping[str, bytes], options: dict[str, Any]) -> float | None:
    """Return the time of a request, or of the first event of a stream; None if the service rejects it."""
    started = time.perf_counter()
    with client.stream("POST", path, files=files, data=options) as response:
        if response.status_code != 200:
            return None
        spent = None
        for _ in response.iter_raw():  # read to the end, so that the model is idle for the next request
            if spent is None or "stream" not in options:
                spent = time.perf_counter() - started
    return None if spent is None else 1e3 * spent


def medians(clients: list[httpx.Client], asked: str, rounds: int) -> dict[str, list[float | None]]:
    """Return the medians of each kind of request at each service, without the first rounds."""
    medium, sample, options = ASKED[asked]
    files, path = {medium: (STATIC / "samples" / sample).read_bytes()}, asked.split(",", maxsplit=1)[0]
    found: dict[str, list[list[float | None]]] = {kind: [[] for _ in clients] for kind in KINDS}
    for _ in range(rounds):
        for kind, extra in KINDS.items():
            for client, times in zip(clients, found[kind], strict=True):
                times.append(milliseconds(client, path, files, {**options, **extra}))
    return {kind: [_median(times[rounds // 8 :]) for times in each] for kind, each in found.items()}


def _median(times: list[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return statistics.median(known) if known else None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", nargs="+", metavar="URL")
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    clients = [httpx.Client(base_url=url, timeout=60) for url in args.services]
    columns = [f"{kind} ({i})" for kind in KINDS for i, _ in enumerate(clients, 1)]
    print(f"| ms | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|", sep="\n")
    for asked in ASKED:
        found = medians(clients, asked, args.rounds)
        cells = ["-" if value is None else f"{value:.1f}" for kind in KINDS for value in found[kind]]
        print(f"| `{asked}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
