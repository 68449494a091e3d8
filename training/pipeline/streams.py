"""Endless streams of batches of a task."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

from omninet.training.data import DataError, Example
from omninet.training.pipeline.batches import Batch, Drawn, Encoder

POOL = 20  # batches per pool that is sorted by length to reduce padding


def stream(
    examples: Sequence[Example], size: int, encoder: Encoder, seed: int, start: int = 0, job: int = 0, jobs: int = 1
) -> Iterator[Batch]:
    """Yield batches without end; each epoch has every example once, and batches group examples of similar length.

    Args:
        start: batches to skip, those already taken by this job; unreadable batches are not counted.
        job, jobs: take every ``jobs``-th batch, beginning with number ``job``.

    Raises:
        DataError: no example of a whole epoch can be read.
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
    """Return the error for a data set without a readable example."""
    path, why = next(iter(encoder.unreadable.items()))
    return DataError(f"none of {len(examples)} examples can be read; the first error is {path}: {why}")


def draw(examples: Sequence[Example], size: int, seed: int) -> Iterator[list[Drawn]]:
    """Yield the examples of each batch with their random seeds, without end."""
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
    """Return the length of the padded texts; labels are not padded, and sorting by them would give uniform batches."""
    return sum(map(len, example.words)) or (len(example.answer) if example.captions else len(example.text))
