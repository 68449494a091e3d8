"""Load test of the service against the bare model, FastAPI with a lock, LitServe and Ray Serve, with one checkpoint.

    python -m benchmarks.serving --out runs/serving

Measures the maximum throughput of the bare model, then each variant in its own process: this engine, this engine with
batches of one row, the model behind FastAPI with a lock, behind LitServe and behind Ray Serve with their batching; the
baselines use the best of several numbers of threads and batch sizes. The workloads are captions, tags, a mix of the
paper's endpoints, a flood of videos beside tags, and a mix of all tasks of the checkpoint. Writes serving.json,
serving.md, throughput.png and latency.png. LitServe installs uvloop and httptools, which uvicorn then uses for every
variant. Needs the extras ``bench`` and ``ray``; there are 70 loads of --seconds each; --quick is to test the script.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.load import ceiling, servers
from benchmarks.load.alone import Alone, compare
from benchmarks.load.client import Group, generate_load
from benchmarks.load.metrics import Cell, Span, errors, latencies
from benchmarks.load.plots import draw
from benchmarks.load.posts import HEALTH, Post, further_posts, posts
from benchmarks.load.report import BUSY, ENDPOINT, Results, save
from benchmarks.load.servers import PeakMemory, Server, Variant, serving

CLIENTS = (1, 8, 32, 128)
SIZES = (1, 2, 4, 8, 16, 32, 64)
RAMP = 0.2  # warm-up as a share of the measured time, in which queues fill
THREADS = (1, 2)
BATCHES = (8, 32)
SOFTWARE = ("torch", "onnxruntime", "fastapi", "uvicorn", "uvloop", "httptools", "litserve", "ray")

Posts = Mapping[str, Sequence[Post]]


class Run:
    """The load generator in its own process, with the requests of the test."""

    def __init__(self, generator: Executor, asked: Posts, further: Posts, seconds: float) -> None:
        self._generator, self.asked, self.seconds = generator, asked, seconds
        self._all = {**asked, **further}

    def cell(self, server: Server, variant: str, workload: str, groups: Sequence[Group], seconds: float) -> Cell:
        """Put a load on a server and return the results."""
        span = Span(RAMP * seconds, (1 + RAMP) * seconds)
        cpu = server.cpu_seconds()
        with PeakMemory(server) as memory:
            result = self._generator.submit(generate_load, server.port, groups, span.end).result()
        lasted = max(sample.ended for sample in result.samples)
        return Cell(
            variant,
            workload,
            groups[0].clients,
            latencies(result.samples, span),
            errors(result.samples),
            sum(not sample.right for sample in result.samples),
            memory.mb,
            (server.cpu_seconds() - cpu) / lasted,
            result.cpu_seconds / lasted,
        )

    def loads(self) -> Iterator[tuple[str, list[Group]]]:
        """Yield every workload with every number of clients."""
        for name, endpoints in (("captions", ["caption"]), ("pos", ["pos"]), ("mix", list(self.asked))):
            for clients in CLIENTS:
                yield name, [self.group(clients, endpoints)]
        yield "flood", [self.group(BUSY, ["video-caption"]), self.group(2, ["pos"])]
        yield "all tasks", [Group(BUSY, self._all)]

    def group(self, clients: int, endpoints: Sequence[str]) -> Group:
        """Return clients that use these endpoints."""
        return Group(clients, {endpoint: self.asked[endpoint] for endpoint in endpoints})

    def mix(self, variant: Variant) -> float:
        """Return requests per second of the mix, from a short measurement."""
        with serving(variant) as server:
            self.warm_up(server)
            mix = [self.group(BUSY, list(self.asked))]
            return self.cell(server, variant.key, "mix", mix, self.seconds / 2).all.rate

    def warm_up(self, server: Server) -> None:
        """Send some load, so that lazy initialisation is done before the measurement."""
        self.cell(server, "", "", [Group(8, self._all)], min(3.0, self.seconds))

    def health(self, variant: Variant) -> float:
        """Return responses per second of an endpoint that does nothing, the limit of the load generator."""
        with serving(variant) as server:
            groups = [Group(BUSY, {"healthz": [HEALTH]})]
            return self.cell(server, variant.key, "", groups, min(3.0, self.seconds)).all.rate


class BareModelProcess:
    """The bare model in its own process, for measurements close in time to those of a server."""

    def __init__(self, process: Executor, checkpoint: Path | None, asked: Posts, seconds: float) -> None:
        self._process, self._checkpoint, self._asked, self._seconds = process, checkpoint, asked, seconds

    def best(self, endpoint: str) -> float:
        """Return the maximum rows per second."""
        sizes = [size for size in SIZES if size >= BUSY // 2]
        return self._process.submit(
            ceiling.best, self._checkpoint, self._asked[endpoint], sizes, self._seconds / 10
        ).result()

    def alone(self, variant: Variant, server: Server) -> list[Alone]:
        """Return the overhead of a server for single requests."""
        return [
            self._process.submit(
                compare, self._checkpoint, variant.key, server.port, self._asked[endpoint], self._seconds
            ).result()
            for endpoint in ENDPOINT.values()
        ]


def main() -> None:
    """Run the load test and write the results."""
    args = _arguments()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # the service sets this; the baselines need it, too
    args.out.mkdir(parents=True, exist_ok=True)
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context) as bare:
        measuring = bare.submit(ceiling.measure, args.checkpoint, posts(args.data), SIZES, args.seconds / 10)
        expecting = bare.submit(ceiling.expect, args.checkpoint, further_posts())
        (asked, ceilings), further = measuring.result(), expecting.result()
    print("the bare model is measured", flush=True)
    with ProcessPoolExecutor(1, context) as generator, ProcessPoolExecutor(1, context) as bare:
        run = Run(generator, asked, further, args.seconds)
        variants, tried = _variants(run, args.checkpoint)
        results = Results(
            _conditions(args), ceilings, {v.key: v.title for v in variants}, tried, run.health(variants[0])
        )
        bare_model = BareModelProcess(bare, args.checkpoint, asked, args.seconds)
        for variant in variants:
            with serving(variant) as server:
                run.warm_up(server)
                results.alone.extend(bare_model.alone(variant, server))
                for workload, groups in run.loads():
                    compared = variant is variants[0] and workload in ENDPOINT and groups[0].clients == BUSY
                    before = bare_model.best(ENDPOINT[workload]) if compared else 0.0
                    cell = run.cell(server, variant.key, workload, groups, args.seconds)
                    if compared:
                        results.beside[workload] = before, bare_model.best(ENDPOINT[workload])
                    print(f"({variant.key}) {workload} {cell.clients}: {cell.all.rate:.1f} requests/s", flush=True)
                    results.cells.append(cell)
                    save(results, args.out)
    draw(results, args.out)


def _variants(run: Run, checkpoint: Path | None) -> tuple[list[Variant], dict[str, float]]:
    """Return the variants, and the results of all settings tried for the baselines."""
    locked = [servers.locked(checkpoint, threads) for threads in THREADS]
    batched = [servers.batched(checkpoint, threads, rows) for threads in THREADS for rows in BATCHES]
    on_ray = [servers.on_ray(checkpoint, threads, rows) for threads in THREADS for rows in BATCHES]
    tried = {variant.title: run.mix(variant) for variant in (*locked, *batched, *on_ray)}

    def best(some: list[Variant]) -> Variant:
        return max(some, key=lambda variant: tried[variant.title])

    ours = servers.service(checkpoint)
    single = servers.service(checkpoint, "b", "this engine, batches of one row", batch_rows=1)
    return [ours, single, best(locked), best(batched), best(on_ray)], tried


def _conditions(args: argparse.Namespace) -> dict[str, str]:
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "software": ", ".join(f"{name} {version(name)}" for name in SOFTWARE),
        "checkpoint": str(args.checkpoint or "bundled"),
        "seconds of each load": f"{args.seconds:g}, after {RAMP * args.seconds:g} that are not counted",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--data", type=Path, help="folder with flickr8k and activities; default: the samples")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each load")
    parser.add_argument("--quick", action="store_const", dest="seconds", const=2.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
