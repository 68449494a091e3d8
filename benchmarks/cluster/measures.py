"""Cost of a request on Ray Serve: latency compared with a single server, CPU time per deployment, throughput."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

import psutil

from benchmarks.cluster.nodes import Nodes
from benchmarks.load.client import Connection, Group, Sample, generate_load
from benchmarks.load.posts import HEALTH, Post

WARM_UP = 8


def overhead(ports: Sequence[int], posts: Mapping[str, Sequence[Post]], rounds: int) -> dict[str, list[float]]:
    """Return endpoint -> median milliseconds at each server, with single requests to the servers in turn."""
    return asyncio.run(_overhead(ports, {HEALTH.endpoint: [HEALTH], **posts}, rounds))


async def _overhead(ports: Sequence[int], posts: Mapping[str, Sequence[Post]], rounds: int) -> dict[str, list[float]]:
    servers = [Connection(port) for port in ports]
    found: dict[str, list[float]] = {}
    for endpoint, choices in posts.items():
        times: list[list[float]] = [[] for _ in servers]
        for number in range(rounds + WARM_UP):
            request = choices[number % len(choices)].request()
            for server, spent in zip(servers, times, strict=True):
                started = time.perf_counter()
                reply = await server.ask(request)
                assert reply.status == 200, reply
                spent.append(1e3 * (time.perf_counter() - started))
        found[endpoint] = [median(spent[WARM_UP:]) for spent in times]
    for server in servers:
        server.close()
    return found


async def arriving(port: int, posts: Sequence[Post], rate: float, seconds: float, seed: int = 0) -> list[Sample]:
    """Send requests as a Poisson process with ``rate`` per second (open loop), and return their results."""
    chance, began = random.Random(seed), time.perf_counter()
    idle: list[Connection] = []
    asking: list[asyncio.Task[Sample]] = []
    due = chance.expovariate(rate)
    while due < seconds:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        asking.append(asyncio.create_task(_ask(port, idle, chance.choice(posts), began)))
        due += chance.expovariate(rate)
    samples = await asyncio.gather(*asking)
    for connection in idle:
        connection.close()
    return samples


async def _ask(port: int, idle: list[Connection], post: Post, began: float) -> Sample:
    connection = idle.pop() if idle else Connection(port)
    started = time.perf_counter()
    reply = await connection.ask(post.request())
    ended = time.perf_counter()
    idle.append(connection)
    return Sample(post.endpoint, ended - began, ended - started, reply.status)


def processor_seconds(nodes: Nodes) -> dict[str, float]:
    """Return the CPU time so far of each deployment, of Ray's proxies, and of the remaining processes of Ray."""
    found: defaultdict[str, float] = defaultdict(float)
    for node in nodes.nodes:
        _add(psutil.Process(node.process.pid), "the rest of Ray", found)
    return found


def _add(process: psutil.Process, name: str, found: dict[str, float]) -> None:
    """Add the CPU time of a process and its running children; ended children are not counted."""
    try:
        title, times, children = "".join(process.cmdline()[:1]), process.cpu_times(), process.children()
    except psutil.Error:
        return
    if title.startswith("ray::ServeReplica"):
        name = title.split(":")[4].split(".")[0]
    elif title.startswith("ray::Proxy"):
        name = "proxies"
    found[name] += times.user + times.system
    for child in children:
        _add(child, name, found)


def rates(port: int, posts: Mapping[str, Sequence[Post]], clients: Sequence[int], seconds: float) -> dict[int, float]:
    """Return clients -> requests per second, in a closed loop."""
    found = {}
    for count in clients:
        samples = generate_load(port, [Group(count, posts)], seconds).samples
        inside = [each for each in samples if each.status == 200 and seconds / 5 < each.ended <= seconds]
        found[count] = len(inside) / (seconds * 4 / 5)
    return found
