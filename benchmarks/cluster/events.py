"""What happens to requests while the cluster changes under them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.cluster.nodes import Nodes
from benchmarks.load.client import Group, Sample, press
from benchmarks.load.posts import Post

POLL_S = 0.5


@dataclass
class Load:
    """Clients in a closed loop for some time.

    Attributes:
        began: ``time.monotonic`` then.
        samples: once it is over.
    """

    began: float
    samples: list[Sample] = field(default_factory=list)

    def told(self, since: float = 0.0) -> str:
        """How the requests ended that did after ``since``, for people."""
        late = [each for each in self.samples if each.ended >= since - self.began]
        codes = Counter(f"{each.status} {each.code}".strip() for each in late)
        wrong = sum(not each.right for each in late)
        slowest = max(each.seconds for each in late)
        return f"{dict(codes)}, {wrong} other answers, slowest {slowest:.1f} s"

    def longest_gap(self, since: float) -> float:
        """Seconds after ``since`` in which no answer came, at most."""
        ends = sorted(each.ended for each in self.samples if each.status == 200 and each.ended >= since - self.began)
        edges = [since - self.began, *ends]
        return max((b - a for a, b in pairwise(edges)), default=0.0)


@contextmanager
def load(port: int, posts: Mapping[str, Sequence[Post]], clients: int, seconds: float) -> Iterator[Load]:
    """Load while it is entered, for ``seconds`` in all; left when the last answer is there."""
    found = Load(time.monotonic())
    thread = threading.Thread(
        target=lambda: found.samples.extend(press(port, [Group(clients, posts)], seconds).samples)
    )
    thread.start()
    try:
        yield found
    finally:
        thread.join()


def when(is_so: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until something is so; None where it is not in time."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(POLL_S)
    return time.monotonic() - began


def models(nodes: Nodes) -> int:
    """Replicas of the model that answer."""
    return nodes.replicas()["model"]
