"""The part of each batch that a rank computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import torch

from omninet.training.data import Example
from omninet.training.pipeline.batches import Batch, Encoder
from omninet.training.pipeline.streams import draw, none_readable


def shard(
    examples: Sequence[Example], size: int, encoder: Encoder, seed: int, start: int, rank: int, ranks: int
) -> Iterator[Batch]:
    """Yield this rank's part of each batch of ``stream``, without end; an epoch of all ranks has every example once.

    If nothing is left for a rank or its examples are unreadable, it gets a batch whose targets are all masked, since
    every rank must take part in the step.

    Args:
        start: batches to skip; batches that no rank could read are not counted.

    Raises:
        DataError: none of the examples can be read.
    """
    for members in islice(draw(examples, size, seed), start, None):
        mine = members[rank::ranks]  # members are sorted by length, so every rank gets a similar amount of work
        batch = encoder.batch(mine) if mine else None
        skipped = len(mine) - (len(batch.targets) if batch else 0)
        yield replace(batch or _masked_batch(examples, encoder), skipped=skipped)


def _masked_batch(examples: Sequence[Example], encoder: Encoder) -> Batch:
    for example in examples:
        if batch := encoder.batch([(example, 0)]):
            return replace(batch, mask=torch.zeros_like(batch.mask))
    raise none_readable(examples, encoder)
