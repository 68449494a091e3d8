"""Effect of cluster changes on running requests."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.cluster.nodes import Nodes
from benchmarks.load.client import Group, Sample, generate_load
from benchmarks.load.posts import Post

POLL_S = 0.5


@dataclass
class Load:
    """Closed-loop load for a limited time.

    Attributes:
        began: start, in time of ``time.monotonic``.
        samples: results, available after the end.
    """

    began: float
    samples: list[Sample] = field(default_factory=list)

    def summary(self, since: float = 0.0) -> str:
        """Summarise the requests that ended after ``since``: status codes, wrong answers and the slowest."""
        late = [each for each in self.samples if each.ended >= since - self.began]
        codes = Counter(f"{each.status} {each.code}".strip() for each in late)
        wrong = sum(not each.right for each in late)
        slowest = max(each.seconds for each in late)
        return f"{dict(codes)}, {wrong} other answers, slowest {slowest:.1f} s"

    def longest_gap(self, since: float) -> float:
        """Return the longest time after ``since``, in seconds, without a successful response."""
        ends = sorted(each.ended for each in self.samples if each.status == 200 and each.ended >= since - self.began)
        edges = [since - self.began, *ends]
        return max((b - a for a, b in pairwise(edges)), default=0.0)


@contextmanager
def load(port: int, posts: Mapping[str, Sequence[Post]], clients: int, seconds: float) -> Iterator[Load]:
    """Put load on a server for ``seconds`` in a background thread; wait for it seconds_until the context ends."""
    found = Load(time.monotonic())
    thread = threading.Thread(
        target=lambda: found.samples.extend(generate_load(port, [Group(clients, posts)], seconds).samples)
    )
    thread.start()
    try:
        yield found
    finally:
        thread.join()


def seconds_until(holds: Callable[[], bool], seconds: float) -> float | None:
    """Return the seconds until a condition holds; None if it does not within ``seconds``."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(POLL_S)
    return time.monotonic() - began


def models(nodes: Nodes) -> int:
    """Return the number of running replicas of the model."""
    return nodes.replicas()["model"]
