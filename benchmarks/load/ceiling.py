"""Maximum throughput of the bare model with prepared rows, without a service."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.load.baseline import reply
from benchmarks.load.posts import Post, answer_in
from omninet.model.decoding.batch import RunningBatch
from omninet.model.network.cnp import group
from omninet.model.predictor import Predictor
from omninet.model.rows import Row


@dataclass(frozen=True)
class Ceiling:
    """Throughput of one endpoint.

    Attributes:
        rates: batch size -> rows per second when each batch runs to its end.
        continuous: batch size -> rows per second of a running batch that admits a new row for each finished one.
    """

    rates: dict[int, float] = field(default_factory=dict)
    continuous: dict[int, float] = field(default_factory=dict)

    @property
    def best(self) -> float:
        """Return the highest rate of all sizes."""
        return max(*self.rates.values(), *self.continuous.values())


class BareModel:
    """The model without a service, with the number of threads that the service would use."""

    def __init__(self, checkpoint: Path | None) -> None:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))
        self.predictor = Predictor.load(checkpoint)

    def expect(self, posts: Sequence[Post]) -> list[Post]:
        """Return the requests with their expected answers."""
        return [replace(post, expected=answer_in(self._predict(post))) for post in posts]

    def measure(self, posts: Sequence[Post], sizes: Sequence[int], seconds: float) -> Ceiling:
        """Measure rows per second, for ``seconds`` per batch size."""
        rows = [self.predictor.prepare(p.task, **p.inputs).rows[0] for p in posts]
        rates = {size: self._rate(_cycled(rows, size), seconds) for size in sizes}
        continuous = {size: self._continuous(rows, size, seconds) for size in sizes if size > 1}
        return Ceiling(rates, continuous)

    def _predict(self, post: Post) -> dict[str, Any]:
        return reply(self.predictor, post.task, self.predictor.predict(post.task, **post.inputs))

    def _rate(self, rows: Sequence[Row], seconds: float) -> float:
        return len(rows) / statistics.median(_each(lambda _: self.predictor.run(rows), seconds))

    @torch.inference_mode()
    def _continuous(self, rows: Sequence[Row], size: int, seconds: float) -> float:
        running, waiting, ended = RunningBatch(self.predictor.network.cnp), cycle(rows), 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds or ended < size:
            self._admit(running, list(islice(waiting, size - len(running))))
            ended += len(running.step())
        return ended / (time.perf_counter() - started)

    def _admit(self, running: RunningBatch, rows: Sequence[Row]) -> None:
        for members in group(row.shape for row in rows).values():
            alike = [rows[i] for i in members]
            running.admit(self.predictor.encode(alike), [row.goal for row in alike])

    def alone(self, post: Post) -> float:
        """Return the milliseconds of ``Predictor.run`` for a request's rows."""
        rows = self.predictor.prepare(post.task, **post.inputs).rows
        started = time.perf_counter()
        self.predictor.run(rows)
        return 1e3 * (time.perf_counter() - started)


def _each(run: Callable[[int], object], seconds: float) -> list[float]:
    """Return the seconds of each run; the slow first run is dropped unless it is the only one."""
    times: list[float] = []
    while sum(times) < seconds:
        started = time.perf_counter()
        run(len(times))
        times.append(time.perf_counter() - started)
    return times[1:] or times


def _cycled(rows: Sequence[Row], size: int) -> list[Row]:
    return list(islice(cycle(rows), size))


def measure(
    checkpoint: Path | None, posts: Mapping[str, Sequence[Post]], sizes: Sequence[int], seconds: float
) -> tuple[dict[str, list[Post]], dict[str, Ceiling]]:
    """Return the requests with expected answers, and the maximum throughput of each endpoint."""
    bare = BareModel(checkpoint)
    expecting = {endpoint: bare.expect(some) for endpoint, some in posts.items()}
    return expecting, {endpoint: bare.measure(some, sizes, seconds) for endpoint, some in posts.items()}


def expect(checkpoint: Path | None, posts: Mapping[str, Sequence[Post]]) -> dict[str, list[Post]]:
    """Return the requests of the tasks that a checkpoint has, with expected answers."""
    bare = BareModel(checkpoint)
    has = bare.predictor.tasks
    return {name: bare.expect(some) for name, some in posts.items() if all(post.task in has for post in some)}


def best(checkpoint: Path | None, posts: Sequence[Post], sizes: Sequence[int], seconds: float) -> float:
    """Return the current maximum throughput of one endpoint, in rows per second."""
    return BareModel(checkpoint).measure(posts, sizes, seconds).best
