"""The KV cache of the decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from omninet.model.config import CNPConfig
from omninet.model.network.attention import Source
from omninet.model.network.kv_cache import INITIAL_COLUMNS, KeyValueCache
from omninet.model.network.placement import Placement
from tests.model.networks import SMALL, numbers

CONFIG = CNPConfig(**{**SMALL, "recurrent_steps": 2})
SLOTS = CONFIG.decoder_layers * CONFIG.recurrent_steps


def cache(batch: int = 2, width: int = 1) -> KeyValueCache:
    return KeyValueCache(CONFIG, batch, width, torch.zeros(1, dtype=torch.float64))


def pair(name: str, batch: int = 2, width: int = 1) -> tuple[Tensor, Tensor]:
    keys = numbers(f"{name}.keys", batch, CONFIG.heads, width, CONFIG.d_key)
    return keys, numbers(f"{name}.values", batch, CONFIG.heads, width, CONFIG.d_value)


def visible_keys(found: Source, row: int, hypothesis: int = 0) -> Tensor:
    """Return the unmasked keys of one hypothesis, (h, m, k)."""
    assert found.mask is not None
    return found.keys[row][:, found.mask[row, 0, hypothesis]]


def test_append_returns_the_columns_in_order() -> None:
    kept = cache()
    steps = [pair(f"{i}") for i in range(3)]

    for i, step in enumerate(steps):
        kept.open_column(i)
        found = kept.append(1, *step)

    assert torch.equal(found.keys, torch.cat([keys for keys, _ in steps], 2))
    assert torch.equal(found.values, torch.cat([values for _, values in steps], 2))
    assert found.mask is not None
    assert found.mask.all()
    assert found.keys.dtype == torch.float64


def test_slots_are_separate() -> None:
    kept = cache()
    kept.open_column(0)

    kept.append(SLOTS - 1, *pair("x"))

    assert not kept.keys[: SLOTS - 1].any()
    assert kept.keys[SLOTS - 1].any()


def test_a_joining_row_attends_to_no_earlier_column() -> None:
    kept = cache(batch=1)
    for i in range(2):
        kept.open_column(i)
        kept.append(0, *pair(f"{i}", 1))

    kept.join(Placement(torch.tensor([], dtype=torch.long), 1))
    kept.open_column(2)
    found = kept.append(0, *pair("late"))

    assert torch.equal(visible_keys(found, 0), torch.cat([pair("0", 1)[0], pair("1", 1)[0], pair("late")[0][:1]], 2)[0])
    assert torch.equal(visible_keys(found, 1), pair("late")[0][1])


def test_a_row_in_a_reused_place_does_not_attend_to_the_previous_row() -> None:
    kept = cache()
    kept.open_column(0)
    kept.append(0, *pair("0"))

    kept.join(Placement(torch.tensor([1]), 1))
    kept.open_column(1)
    found = kept.append(0, *pair("1"))

    assert torch.equal(visible_keys(found, 0), torch.cat([pair("0")[0][:1], pair("1")[0][:1]], 2)[0])
    assert torch.equal(visible_keys(found, 1), pair("1")[0][1])


def test_a_hypothesis_attends_to_its_own_prefix() -> None:
    kept = cache(batch=1, width=2)
    first, second, third = (pair(name, 1, 2)[0][0] for name in ("first", "second", "third"))
    kept.open_column(0)
    kept.append(0, *pair("first", 1, 2))
    kept.reorder(torch.tensor([[1, 1]]))
    kept.open_column(1)
    kept.append(0, *pair("second", 1, 2))
    kept.reorder(torch.tensor([[1, 0]]))
    kept.open_column(2)

    found = kept.append(0, *pair("third", 1, 2))

    assert torch.equal(visible_keys(found, 0, 0), torch.stack([first[:, 1], second[:, 1], third[:, 0]], 1))
    assert torch.equal(visible_keys(found, 0, 1), torch.stack([first[:, 1], second[:, 0], third[:, 1]], 1))


def test_select_keeps_rows_in_the_given_order() -> None:
    kept = cache(batch=3)
    kept.open_column(0)
    kept.append(0, *pair("x", batch=3))

    kept.select(torch.tensor([2, 0, 2]))

    assert torch.equal(kept.keys[0, :, :, :1], pair("x", batch=3)[0][[2, 0, 2]])
    assert torch.equal(kept.values[0, :, :, :1], pair("x", batch=3)[1][[2, 0, 2]])
    assert kept.mask[:, 0, 0].tolist() == [True] * 3


def test_capacity_grows_with_the_longest_row() -> None:
    kept = cache(batch=1)
    steps = [pair(f"{i}", 1) for i in range(INITIAL_COLUMNS + 3)]

    for i, step in enumerate(steps):
        kept.open_column(i)
        found = kept.append(0, *step)

    assert torch.equal(found.keys, torch.cat([keys for keys, _ in steps], 2))
    assert kept.keys.shape[3] == 2 * INITIAL_COLUMNS


def test_an_endless_batch_needs_capacity_for_its_longest_row_only() -> None:
    kept = cache(batch=1, width=2)
    steps = [pair(f"{i}", 1, 2) for i in range(5 * INITIAL_COLUMNS)]

    for i, step in enumerate(steps):
        kept.open_column(min(i, 3))
        found = kept.append(0, *step)

    assert torch.equal(found.keys, torch.cat([keys for keys, _ in steps[-4:]], 2))
    assert kept.keys.shape[3] == 2 * INITIAL_COLUMNS
    assert torch.equal(visible_keys(found, 0, 1), torch.stack([keys[0][:, 1] for keys, _ in steps[-4:]], 1))
