"""Memory: append, select, collate."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from omninet.model.network.cnp import CNP
from omninet.model.network.memory import Memory, collate
from tests.model.networks import IMAGE, SHORT_TEXT, TEXT, VIDEO, WIDTH, Row, small_cnp

TENSORS = ("temporal", "temporal_mask", "spatial", "spatial_mask", "frame")


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def assert_equal(actual: Memory, expected: Memory) -> None:
    assert actual.links == expected.links
    for name in TENSORS:
        assert torch.equal(getattr(actual, name), getattr(expected, name)), name


def test_empty() -> None:
    memory = Memory.empty(2, torch.zeros(1, WIDTH, dtype=torch.float64))

    assert memory.batch == 2
    assert memory.temporal.shape == memory.spatial.shape == (2, 0, WIDTH)
    assert memory.temporal.dtype == torch.float64
    assert memory.links == ((), ())


def test_link_array_and_its_index(cnp: CNP) -> None:
    memory = Row((TEXT, VIDEO, SHORT_TEXT, IMAGE)).encode(cnp)

    assert memory.links == (((4, 1), (3, 4), (2, 1), (1, 4)),)
    assert memory.temporal.shape == (1, 4 + 3 + 2 + 1, WIDTH)
    assert memory.spatial.shape == (1, 3 * 4 + 4, WIDTH)
    # The video's frames are temporal positions 4 to 6, the image is 9.
    assert memory.frame.tolist() == [[*[4] * 4, *[5] * 4, *[6] * 4, *[9] * 4]]
    assert memory.temporal_mask.all()
    assert memory.spatial_mask.all()


def test_gate_order_of_the_authors_code() -> None:
    memory = Row((SHORT_TEXT, VIDEO)).encode(small_cnp(gate="official"))

    assert memory.frame.tolist() == [[2, 3, 4] * 4]


def test_a_memory_is_immutable(cnp: CNP) -> None:
    memory = Row((TEXT,)).encode(cnp)

    with pytest.raises(dataclasses.FrozenInstanceError):
        memory.temporal = memory.spatial  # type: ignore[misc]


def test_collate_pads_and_masks(cnp: CNP) -> None:
    rows = [Row((TEXT,)), Row((VIDEO, SHORT_TEXT)), Row((IMAGE,))]

    memory = collate([row.encode(cnp) for row in rows])

    assert memory.links == (((4, 1),), ((3, 4), (2, 1)), ((1, 4),))
    assert memory.temporal_mask.sum(1).tolist() == [4, 5, 1]
    assert memory.spatial_mask.sum(1).tolist() == [0, 12, 4]
    assert not memory.temporal[~memory.temporal_mask].any()
    assert not memory.spatial[~memory.spatial_mask].any()


def test_collate_takes_memories_of_several_rows(cnp: CNP) -> None:
    first, second, third = (Row((x,)).encode(cnp) for x in (TEXT, VIDEO, IMAGE))

    assert_equal(collate([collate([first, second]), third]), collate([first, second, third]))


def test_collate_of_one_memory_returns_it(cnp: CNP) -> None:
    memory = Row((TEXT,)).encode(cnp)

    assert collate([memory]) is memory


def test_select(cnp: CNP) -> None:
    memories = [Row((x,)).encode(cnp) for x in (TEXT, VIDEO, IMAGE)]

    assert_equal(collate(memories).select([2, 0, 0, 1]), collate([memories[i] for i in (2, 0, 0, 1)]))
    assert_equal(collate(memories).select(torch.tensor([1, 2, 0])), collate([memories[i] for i in (1, 2, 0)]))
