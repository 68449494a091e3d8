"""Each rank's part of the batches."""

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
    """One rank's part of each batch that ``stream`` would give, for ever; every example once an epoch over all ranks.

    Where a rank has nothing, since nothing was left for it or could be read, it gets an example whose targets do not
    count: ranks wait for one another, and none can be missing.

    Args:
        start: batches that have been taken before; those of which nobody could read anything do not count.

    Raises:
        DataError: not one of the examples can be read.
    """
    for members in islice(draw(examples, size, seed), start, None):
        mine = members[rank::ranks]  # members are sorted by length, so that all ranks have about as much to do
        batch = encoder.batch(mine) if mine else None
        skipped = len(mine) - (len(batch.targets) if batch else 0)
        yield replace(batch or _stand_in(examples, encoder), skipped=skipped)


def _stand_in(examples: Sequence[Example], encoder: Encoder) -> Batch:
    for example in examples:
        if batch := encoder.batch([(example, 0)]):
            return replace(batch, mask=torch.zeros_like(batch.mask))
    raise none_readable(examples, encoder)
