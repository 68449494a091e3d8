"""Batches of a task, one after the other, for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

from omninet.training.data import DataError, Example
from omninet.training.pipeline.batches import Batch, Drawn, Encoder

POOL = 20  # batches that are sorted by length together, so that little is padded


def stream(
    examples: Sequence[Example], size: int, encoder: Encoder, seed: int, start: int = 0, job: int = 0, jobs: int = 1
) -> Iterator[Batch]:
    """Batches for ever; every example once an epoch, neighbours in length together.

    Args:
        start: batches that this job has taken before; those of which nothing could be read do not count.
        job, jobs: of ``jobs`` workers this one takes every ``jobs``-th batch, from number ``job`` on.

    Raises:
        DataError: nothing of a whole epoch can be read.
    """
    skipped = 0
    for members in islice(draw(examples, size, seed), start * jobs + job, None, jobs):
        batch = encoder.batch(members)
        skipped += len(members) - (len(batch.targets) if batch else 0)
        if batch:
            yield replace(batch, skipped=skipped)
            skipped = 0
        elif skipped > len(examples):
            raise none_readable(examples, encoder)


def none_readable(examples: Sequence[Example], encoder: Encoder) -> DataError:
    """What to say of examples of which not one can be read."""
    path, why = next(iter(encoder.unreadable.items()))
    return DataError(f"none of {len(examples)} examples can be read; {path}: {why}")


def draw(examples: Sequence[Example], size: int, seed: int) -> Iterator[list[Drawn]]:
    """The members of one batch after the other, for ever."""
    numbers = count()
    for epoch in count():
        for members in _epoch(examples, size, random.Random(f"{seed}:{epoch}")):
            generator = random.Random(f"{seed}:{next(numbers)}")
            yield [(example, generator.getrandbits(64)) for example in members]


def _epoch(examples: Sequence[Example], size: int, generator: random.Random) -> list[list[Example]]:
    order = list(examples)
    generator.shuffle(order)
    batches = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=_length)
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    generator.shuffle(batches)
    return batches


def _length(example: Example) -> int:
    """Of what is padded; labels are not, and sorting by them would fill batches with one class."""
    return sum(map(len, example.words)) or (len(example.answer) if example.captions else len(example.text))
