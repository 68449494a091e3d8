"""Each rank's part of the batches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from omninet.model.errors import InputError
from omninet.training.data import DataError, Example
from omninet.training.distributed.shards import shard
from omninet.training.pipeline.batches import Batch, Media
from omninet.training.pipeline.streams import stream
from omninet.training.pipeline.views import View
from omninet.training.setup import Setup


class Broken:
    """Media of which some cannot be read."""

    def __init__(self, setup: Setup, broken: set[Path]) -> None:
        self.setup, self.broken = setup, broken

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> tuple[torch.Tensor, View]:
        if path in self.broken:
            raise InputError("not_an_image", "the file is not an image")
        return self.setup.encoder.media["vision"].get(path, generator)


def broken(setup: Setup, examples: Sequence[Example]) -> dict[str, Media]:
    """Media among which those of some examples cannot be read."""
    return {"vision": Broken(setup, {path for e in examples for path in e.media})}


def part(setup: Setup, examples: Sequence[Example], size: int, rank: int, ranks: int, count: int) -> list[Batch]:
    return list(islice(shard(examples, size, setup.encoder, 0, 0, rank, ranks), count))


def rows(batch: Batch) -> list[list[int]]:
    """Return the unmasked targets."""
    pairs = zip(batch.targets, batch.mask, strict=True)
    return [targets[mask].tolist() for targets, mask in pairs if mask.any()]


def numbered(setup: Setup, count: int) -> list[Example]:
    """Return examples with distinct captions."""
    photo = setup.examples["caption"][0].image
    return [Example("caption", {"image": photo}, answer="a" * (i + 1), captions=("x",)) for i in range(count)]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize(("count", "size"), [(10, 4), (12, 4), (3, 4)])
def test_every_example_comes_once_an_epoch_over_all_ranks(setup: Setup, count: int, size: int, ranks: int) -> None:
    examples, batches = numbered(setup, count), -(-count // size)

    parts = [part(setup, examples, size, rank, ranks, 2 * batches) for rank in range(ranks)]

    for epoch in (slice(batches), slice(batches, None)):
        read = [row for shards in parts for batch in shards[epoch] for row in rows(batch)]
        assert sorted(read) == sorted(setup.encoder.tokenizer.encode_output(e.answer) for e in examples)


@pytest.mark.parametrize("task", ["caption", "pos", "vqa", "activity"])
def test_the_shards_together_are_the_batches_of_one_process(setup: Setup, task: str) -> None:
    examples, encoder = setup.examples[task], replace(setup.encoder, bpe_dropout=0.5)
    whole = next(stream(examples, 4, encoder, seed=3))

    parts = [next(shard(examples, 4, encoder, 3, 0, rank, 2)) for rank in range(2)]

    for rank, batch in enumerate(parts):
        assert rows(batch) == rows(whole)[rank::2]
        for (name, _, seen), (_, _, all_seen) in zip(batch.inputs, whole.inputs, strict=True):
            if name == "vision":
                assert torch.equal(seen, all_seen[rank::2])
            else:
                shared = seen.tokens.shape[1]
                assert torch.equal(seen.mask, all_seen.mask[rank::2, :shared])
                assert torch.equal(seen.tokens[seen.mask], all_seen.tokens[rank::2][all_seen.mask[rank::2]])


def test_a_rank_without_examples_gets_a_masked_batch(setup: Setup) -> None:
    (batch,) = part(setup, setup.examples["vqa"][:1], 4, rank=1, ranks=2, count=1)

    assert (batch.samples, batch.real, batch.skipped) == (0, 0, 0)
    assert [name for name, *_ in batch.inputs] == ["vision", "language"]
    assert len(batch.targets) == 1


def test_unreadable_samples_are_counted(setup: Setup) -> None:
    examples = setup.examples["vqa"]
    encoder = replace(setup.encoder, media=broken(setup, examples[:2]))

    batches = [next(shard(examples, 4, encoder, 0, 0, rank, 4)) for rank in range(4)]

    assert sorted((batch.samples, batch.skipped) for batch in batches) == [(0, 1), (0, 1), (1, 0), (1, 0)]


def test_data_that_cannot_be_read_at_all_is_an_error(setup: Setup) -> None:
    examples = setup.examples["vqa"]
    encoder = replace(setup.encoder, media=broken(setup, examples))

    with pytest.raises(DataError, match=r"none of 4 examples can be read; .*not an image"):
        next(shard(examples, 2, encoder, 0, 0, 0, 2))


def test_a_shard_can_start_at_any_batch(setup: Setup) -> None:
    examples = numbered(setup, 10)
    whole = part(setup, examples, 4, 1, 2, 7)

    resumed = list(islice(shard(examples, 4, setup.encoder, 0, 3, 1, 2), 4))

    assert list(map(rows, resumed)) == list(map(rows, whole[3:]))
