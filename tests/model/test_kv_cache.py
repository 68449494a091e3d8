"""The decoder's cache of keys and values."""

from __future__ import annotations

import torch

from model.config import CNPConfig
from model.kv_cache import KeyValueCache
from tests.model.networks import SMALL, numbers

CONFIG = CNPConfig(**{**SMALL, "recurrent_steps": 2})
SLOTS = CONFIG.decoder_layers * CONFIG.recurrent_steps


def cache(batch: int = 2, length: int = 4) -> KeyValueCache:
    return KeyValueCache(CONFIG, batch, length, torch.zeros(1, dtype=torch.float64))


def pair(name: str, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    keys = numbers(f"{name}.keys", batch, CONFIG.heads, 1, CONFIG.d_key)
    return keys, numbers(f"{name}.values", batch, CONFIG.heads, 1, CONFIG.d_value)


def test_room_is_allocated_once() -> None:
    kept = cache()

    assert kept.length == 4
    assert kept.keys.shape == (SLOTS, 2, CONFIG.heads, 4, CONFIG.d_key)
    assert kept.values.shape == (SLOTS, 2, CONFIG.heads, 4, CONFIG.d_value)
    assert kept.keys.dtype == torch.float64
    before = kept.keys.data_ptr()
    kept.append(0, *pair("first"), torch.tensor([0, 0]), 1)
    assert kept.keys.data_ptr() == before


def test_positions_follow_one_another() -> None:
    kept = cache()
    steps = [pair(name) for name in ("first", "second", "third")]

    for i, step in enumerate(steps):
        keys, values = kept.append(1, *step, torch.tensor([i, i]), i + 1)

    assert torch.equal(keys, torch.cat([step[0] for step in steps], 2))
    assert torch.equal(values, torch.cat([step[1] for step in steps], 2))


def test_slots_are_apart() -> None:
    kept = cache()

    kept.append(3, *pair("x"), torch.tensor([0, 0]), 1)

    assert not kept.keys[:3].any()
    assert kept.keys[3].any()


def test_rows_need_not_stand_at_the_same_position() -> None:
    kept = cache()
    for i in range(2):
        kept.append(0, *pair(f"{i}"), torch.tensor([i, i]), i + 1)

    keys, _ = kept.append(0, *pair("late"), torch.tensor([2, 0]), 3)

    assert torch.equal(keys[0, :, 2], pair("late")[0][0, :, 0])
    assert torch.equal(keys[0, :, 1], pair("1")[0][0, :, 0])
    assert torch.equal(keys[1, :, 0], pair("late")[0][1, :, 0])
    assert torch.equal(keys[1, :, 1], pair("1")[0][1, :, 0])


def test_select_keeps_rows_in_the_given_order() -> None:
    kept = cache(batch=3)
    kept.append(0, *pair("x", batch=3), torch.tensor([0, 0, 0]), 1)

    kept.select(torch.tensor([2, 0, 2]))

    assert torch.equal(kept.keys[0, :, :, :1], pair("x", batch=3)[0][[2, 0, 2]])
    assert torch.equal(kept.values[0, :, :, :1], pair("x", batch=3)[1][[2, 0, 2]])
