"""Insertion of new rows into the tensors of a batch."""

from __future__ import annotations

import pytest
import torch

from omninet.model.network.placement import Placement


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ([], [[1, 1], [2, 2], [3, 3], [7, 7], [8, 8]]),
        ([2], [[1, 1], [2, 2], [7, 7], [8, 8]]),
        ([2, 0], [[8, 8], [2, 2], [7, 7]]),
    ],
)
def test_free_places_are_filled_first(free: list[int], expected: list[list[int]]) -> None:
    x, new = torch.tensor([[1, 1], [2, 2], [3, 3]]), torch.tensor([[7, 7], [8, 8]])

    found = Placement(torch.tensor(free, dtype=torch.long), 2)(x, new)

    assert found.tolist() == expected


@pytest.mark.parametrize("free", [[], [0]])
def test_rows_are_padded_to_the_larger_size(free: list[int]) -> None:
    put = Placement(torch.tensor(free, dtype=torch.long), 1)
    wide, narrow = torch.ones(1, 1, 3), torch.full((1, 2, 1), 2.0)

    widened, narrowed = put(narrow.clone(), wide)[-1], put(wide.clone(), narrow)[-1]

    assert widened.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert narrowed.tolist() == [[2, 0, 0], [2, 0, 0]]
