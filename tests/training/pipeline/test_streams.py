"""The streams of batches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from omninet.model.errors import InputError
from omninet.training.data import DataError, Example
from omninet.training.pipeline.batches import Batch, Media
from omninet.training.pipeline.streams import stream
from omninet.training.pipeline.views import View
from omninet.training.setup import Setup


def numbered(setup: Setup, count: int) -> list[Example]:
    """Return examples with distinct captions."""
    photo = setup.examples["caption"][0].image
    return [Example("caption", {"image": photo}, answer="a" * (i + 1), captions=("x",)) for i in range(count)]


def lengths(batch: Batch) -> list[int]:
    return batch.mask.sum(1).tolist()


@pytest.mark.parametrize(("count", "size"), [(10, 4), (12, 4), (3, 4), (25, 1)])
def test_every_example_comes_once_an_epoch(setup: Setup, count: int, size: int) -> None:
    examples = numbered(setup, count)
    wanted = Counter(len(setup.encoder.tokenizer.encode_output(e.answer)) for e in examples)
    per_epoch = -(-count // size)
    batches = list(islice(stream(examples, size, setup.encoder, seed=0), 2 * per_epoch))

    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        assert Counter(n for batch in epoch for n in lengths(batch)) == wanted
        assert sorted(len(batch.targets) for batch in epoch)[1:] == [size] * (per_epoch - 1)
    if count > size:
        assert [lengths(b) for b in batches[:per_epoch]] != [lengths(b) for b in batches[per_epoch:]]


def test_neighbours_in_length_come_together(setup: Setup) -> None:
    for batch in islice(stream(numbered(setup, 20), 4, setup.encoder, seed=0), 5):
        assert max(lengths(batch)) - min(lengths(batch)) <= 3


@pytest.mark.parametrize("start", [1, 2, 3, 4, 7, 13])
def test_a_stream_can_start_at_any_batch(setup: Setup, start: int) -> None:
    examples = setup.examples["vqa"] + setup.examples["vqa"]  # type: ignore[operator]
    whole = list(islice(stream(examples, 3, setup.encoder, seed=5), start + 3))

    resumed = list(islice(stream(examples, 3, setup.encoder, seed=5, start=start), 3))

    for one, other in zip(whole[start:], resumed, strict=True):
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.inputs[0][2], other.inputs[0][2])
        assert torch.equal(one.inputs[1][2].tokens, other.inputs[1][2].tokens)


def test_another_seed_is_another_order(setup: Setup) -> None:
    examples = numbered(setup, 20)

    orders = [[lengths(b) for b in islice(stream(examples, 4, setup.encoder, seed), 5)] for seed in (0, 1, 0)]

    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize("start", [0, 2])
def test_jobs_share_a_stream(setup: Setup, start: int) -> None:
    examples = numbered(setup, 20)
    whole = [lengths(b) for b in islice(stream(examples, 4, setup.encoder, seed=0), 12)]

    for job in range(3):
        part = stream(examples, 4, setup.encoder, 0, start, job, 3)
        assert [lengths(b) for b in islice(part, 4 - start)] == whole[job + 3 * start :: 3]


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


def test_unreadable_samples_are_skipped_counted_and_reported(setup: Setup) -> None:
    examples = setup.examples["vqa"]
    encoder = replace(setup.encoder, media=broken(setup, examples[1:2]))

    batches = list(islice(stream(examples, 4, encoder, seed=0), 3))

    assert [len(batch.targets) for batch in batches] == [3, 3, 3]
    assert [batch.skipped for batch in batches] == [1, 1, 1]
    assert encoder.new_warnings() == [f"{examples[1].image} is skipped: the file is not an image"]
    assert encoder.new_warnings() == []


def test_an_unreadable_batch_is_skipped(setup: Setup) -> None:
    examples = setup.examples["vqa"]
    encoder = replace(setup.encoder, media=broken(setup, examples[1:2]))

    batches = list(islice(stream(examples, 1, encoder, seed=0), 6))

    assert sum(batch.skipped for batch in batches) in {1, 2}
    assert all(len(batch.targets) == 1 for batch in batches)


def test_data_that_cannot_be_read_at_all_is_an_error(setup: Setup) -> None:
    examples = setup.examples["vqa"]
    encoder = replace(setup.encoder, media=broken(setup, examples))

    with pytest.raises(DataError, match=r"none of 4 examples can be read; .*not an image"):
        next(stream(examples, 2, encoder, seed=0))
