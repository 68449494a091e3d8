"""Benchmark of the service on two Ray nodes on this machine: cost, queueing with a simulation, and fault tolerance.

    python -m benchmarks.cluster --out OUT [--data DATA] [--seconds 8]

Prints Markdown and plots OUT/scaling.png, in about ten minutes; the machine should be otherwise idle.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cluster.events import load, models, seconds_until
from benchmarks.cluster.measures import overhead, processor_seconds, rates
from benchmarks.cluster.nodes import ROOT, Nodes
from benchmarks.cluster.plots import draw
from benchmarks.cluster.queueing import points
from benchmarks.load.ceiling import BareModel
from benchmarks.load.posts import Post, posts
from benchmarks.load.servers import service, serving
from omninet.model.checkpoint import BUNDLED

Posts = Mapping[str, Sequence[Post]]
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
READY_S = 240.0
NAMES = ("proxies", "ingress", "decoder", "model", "the rest of Ray")
WAVE_S, CALM_S = 40.0, 60.0


def config(models: Mapping[str, Any], **environment: str) -> dict[str, Any]:
    """Return the CPU configuration with other options of the model; one replica of all others saves cores."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "ray" / "cpu.yaml").read_text())
    application = found["applications"][0]
    application["runtime_env"]["env_vars"] = environment
    for deployment in application["deployments"]:
        deployment.update(models if deployment["name"] == "model" else replicas(1, 1))
    return found


def replicas(least: int, most: int, **scaling: float) -> dict[str, Any]:
    """Return autoscaling options with these numbers of replicas."""
    return {"autoscaling_config": {"min_replicas": least, "max_replicas": most, **scaling}}


def costs(nodes: Nodes, asked: Posts, started: float, seconds: float) -> None:
    """Print memory and latency compared with a single server, and CPU time per deployment."""
    memory = nodes.memory() / 2**20
    began = time.monotonic()
    with serving(service(None)) as single:
        print(f"ready after {started:.0f} s; a single server after {time.monotonic() - began:.0f} s")
        print(f"memory {memory:.0f} MB on both nodes; of a single server {single.memory_mb():.0f} MB\n")
        print("| median ms | single server | Ray Serve | more |", "|---|---|---|---|", sep="\n")
        for endpoint, (alone, ray) in overhead([single.port, nodes.nodes[0].port], asked, 40).items():
            print(f"| /{endpoint} | {alone:.1f} | {ray:.1f} | {ray - alone:.1f} |", flush=True)
    print("\n| milliseconds of a processor a request | " + " | ".join(NAMES) + " |")
    print("|---" * (1 + len(NAMES)) + "|")
    for endpoint in ("caption", "pos", "activity"):
        before = processor_seconds(nodes)
        with load(nodes.nodes[0].port, {endpoint: asked[endpoint]}, 8, seconds) as found:
            pass
        after = processor_seconds(nodes)
        cells = [f"{1e3 * (after[name] - before[name]) / len(found.samples):.1f}" for name in NAMES]
        print(f"| /{endpoint} | {' | '.join(cells)} |", flush=True)


def queue(nodes: Nodes, captions: Sequence[Post], seconds: float, out: Path) -> None:
    """Print the throughput of a replica by concurrency, and measured and simulated latency by arrival rate."""
    port = nodes.nodes[0].port
    measured = rates(port, {"caption": captions}, CLIENTS, seconds)
    print(
        "\n| captions at once | " + " | ".join(map(str, measured)) + " |", "|---" * (1 + len(measured)) + "|", sep="\n"
    )
    print("| captions a second | " + " | ".join(f"{rate:.1f}" for rate in measured.values()) + " |")
    found = points(port, captions, measured, seconds)
    print("\n| captions a second that come | p50 ms | on paper | p99 ms | on paper | refused | on paper |")
    print("|---|---|---|---|---|---|---|")
    for point in found:
        print(point.row(), flush=True)
    draw(measured, found, out / "scaling.png")


def wave(nodes: Nodes, asked: Posts) -> None:
    """Scale from one replica to three and back under load."""
    quick = {"target_ongoing_requests": 4, "upscale_delay_s": 2, "downscale_delay_s": 5, "look_back_period_s": 3}
    nodes.deploy(config(replicas(1, 3, **quick, metrics_interval_s=1)), READY_S)
    with load(nodes.nodes[0].port, asked, 24, WAVE_S) as found:
        up = seconds_until(lambda: models(nodes) == 3, WAVE_S)
    down = seconds_until(lambda: models(nodes) == 1, CALM_S)
    print(f"\nwave: three replicas {_after(up)} its begin, one {_after(down)} its end; {found.summary()}", flush=True)


def update(nodes: Nodes, asked: Posts, out: Path) -> None:
    """Update to another checkpoint under load, then try a folder without a checkpoint."""
    second = out / "second"
    shutil.copytree(BUNDLED, second, dirs_exist_ok=True)
    with load(nodes.nodes[0].port, asked, 4, 90.0) as found:
        seconds = nodes.deploy(config(replicas(1, 1), OMNINET_CHECKPOINT=str(second.absolute())), READY_S)
        try:
            nodes.deploy(config(replicas(1, 1), OMNINET_CHECKPOINT=str(out.absolute())), READY_S)
            failed = "taken, which it should not be"
        except RuntimeError:
            failed = "refused"
    print(f"\nupdate: after {seconds:.0f} s, one without a checkpoint was {failed}; {found.summary()}", flush=True)
    shutil.rmtree(second)


def kill(nodes: Nodes, asked: Posts) -> None:
    """Kill a node under load."""
    nodes.deploy(config(replicas(2, 2)), READY_S)
    victim = nodes.nodes[1]
    lost = dict(nodes.replicas(victim))
    with load(nodes.nodes[0].port, asked, 8, 60.0) as found:
        time.sleep(5)
        at = time.monotonic()
        victim.kill()
    gap = found.longest_gap(at)
    print(f"\nkill: a node with {lost}; no answer for {gap:.1f} s at most; {found.summary(at)}", flush=True)


def _after(seconds: float | None) -> str:
    return "not after" if seconds is None else f"{seconds:.0f} s after"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with flickr8k and activities; else the service's samples")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bare = BareModel(None)
    asked = {endpoint: bare.expect(choices) for endpoint, choices in posts(args.data).items()}
    print(f"{platform.machine()}, {os.cpu_count()} cores\n", flush=True)
    with Nodes() as nodes:
        nodes.add()
        started = nodes.deploy(config(replicas(1, 1)), READY_S)
        costs(nodes, asked, started, args.seconds)
        queue(nodes, asked["caption"], args.seconds, args.out)
        wave(nodes, asked)
        update(nodes, asked, args.out)
        kill(nodes, asked)


if __name__ == "__main__":
    main()
