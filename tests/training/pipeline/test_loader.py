"""Batches made ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from omninet.training.pipeline.batches import Batch
from omninet.training.pipeline.loader import AHEAD, Loader


def batch(number: int) -> Batch:
    return Batch("vqa", (), torch.tensor([[number]]), torch.ones(1, 1, dtype=torch.bool))


def test_the_order_stays() -> None:
    with Loader(map(batch, range(50))) as loader:
        assert [int(loader.next().targets) for _ in range(50)] == list(range(50))


def test_exceptions_are_raised_by_next() -> None:
    def broken() -> Iterator[Batch]:
        yield batch(1)
        raise ValueError("no more")

    with Loader(broken()) as loader:
        assert int(loader.next().targets) == 1
        with pytest.raises(ValueError, match="no more"):
            loader.next()


def test_prefetching_is_limited() -> None:
    made: list[int] = []

    def counted() -> Iterator[Batch]:
        for number in range(1000):
            made.append(number)
            yield batch(number)

    with Loader(counted()) as loader:
        loader.next()
        time.sleep(0.3)
        assert AHEAD <= len(made) <= AHEAD + 2


def test_waiting_is_measured() -> None:
    def slow() -> Iterator[Batch]:
        while True:
            time.sleep(0.1)
            yield batch(0)

    with Loader(slow()) as loader:
        loader.next()
        loader.next()
        assert 0.1 < loader.waited < 1


@pytest.mark.parametrize("stream", [map(batch, range(3)), map(batch, range(1000))])
def test_closing_ends_the_thread(stream: Any) -> None:
    before = threading.active_count()
    with Loader(stream) as loader:
        loader.next()

    assert threading.active_count() == before
