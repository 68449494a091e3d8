"""Layers for CPU inference, in running batches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omninet.model.fast.layers import QuickDecoderLayer, quick_modules
from omninet.model.fast.replacement import replaced
from omninet.model.network.cnp import CNP
from tests.model.network.test_batches import STEPS, batches, each_network, many
from tests.model.networks import IMAGE, NETWORKS, SHORT_TEXT, Row, assert_same, small_cnp, step_through
from tests.model.running import EVENTS, WIDE, Running


def quick(changes: dict[str, Any]) -> tuple[CNP, CNP]:
    """A small network, and its copy with quick layers."""
    cnp = small_cnp(**changes).requires_grad_(False)
    return cnp, replaced(cnp, quick_modules(cnp, "float32", {}))


@each_network
@many
@given(batch=batches)
def test_steps_of_mixed_batches_equal_those_of_plain_layers(changes: dict[str, Any], batch: list[Row]) -> None:
    cnp, copy = quick(changes)

    for found, wanted in zip(step_through(copy, batch, STEPS), step_through(cnp, batch, STEPS), strict=True):
        assert_same(found, wanted)


@pytest.mark.parametrize("changes", [{"gate": "normalised", "recurrent_steps": 2}, NETWORKS[-1]], ids=str)
@many
@given(events=EVENTS, seed=st.integers(0, 9))
def test_hypotheses_of_a_running_batch_decode_as_with_teacher_forcing(
    changes: dict[str, Any], events: list[str], seed: int
) -> None:
    running = Running(quick(changes)[1], Row((IMAGE, SHORT_TEXT)))

    assert running.go_through(events, seed) >= WIDE * len(events)


@pytest.mark.parametrize("rows", [[(IMAGE,), (SHORT_TEXT,)], [(IMAGE,), (IMAGE, SHORT_TEXT)], [(SHORT_TEXT,)]])
def test_rows_whose_memories_are_padded(rows: list[tuple[Any, ...]]) -> None:
    cnp, copy = quick({"gate": "normalised"})
    batch = [Row(inputs) for inputs in rows]

    for found, row in zip(step_through(copy, batch, STEPS), batch, strict=True):
        assert_same(found, step_through(cnp, [row], STEPS)[0])


@pytest.mark.parametrize(("changes", "fused"), [({"gate": "normalised"}, True), ({"gate": "paper"}, False)])
def test_only_the_default_gate_is_fused(changes: dict[str, Any], fused: bool) -> None:
    layers = [layer for layer in quick(changes)[1].decoder.layers if isinstance(layer, QuickDecoderLayer)]

    assert [layer.is_fused for layer in layers] == [fused, fused]
