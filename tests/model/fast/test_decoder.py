"""Steps of the decoder in ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from omninet.model.checkpoint import Checkpoint
from omninet.model.fast import decoder as decoders
from omninet.model.fast.decoder import GraphDecoder, graph_decoder
from omninet.model.fast.devices import Precision
from omninet.model.fast.inference import for_inference
from omninet.model.network.cnp import CNP
from omninet.model.network.cohort import Cohort
from tests.model.network.test_batches import STEPS, batches, many
from tests.model.networks import GATES, IMAGE, NETWORKS, SHORT_TEXT, Row, assert_same, small_cnp, step_through
from tests.model.running import EVENTS, WIDE, Running

CPU = torch.device("cpu")
each_kind = pytest.mark.parametrize("kind", list(product(GATES, [1, 2])), ids=str)


@pytest.fixture(autouse=True)
def _small_decoders_have_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "LEAST", 0)


def in_runtime(**changes: Any) -> tuple[CNP, CNP]:
    """A small network, and one of equal weights whose decoder steps in ONNX Runtime."""
    cnp, copy = (small_cnp(torch.float32, **changes).requires_grad_(False) for _ in range(2))
    graph = graph_decoder(copy.decoder)
    assert graph
    copy.decoder = graph
    return cnp, copy


@pytest.fixture(scope="module")
def pairs() -> dict[tuple[str, int], tuple[CNP, CNP]]:
    """Gate and recurrent steps -> a network and its copy in ONNX Runtime."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "LEAST", 0)
        return {(gate, steps): in_runtime(gate=gate, recurrent_steps=steps) for gate in GATES for steps in (1, 2)}


@each_kind
@many
@given(batch=batches)
def test_mixed_batches(pairs: dict[tuple[str, int], tuple[CNP, CNP]], kind: tuple[str, int], batch: list[Row]) -> None:
    cnp, copy = pairs[kind]

    for found, wanted in zip(step_through(copy, batch, STEPS), step_through(cnp, batch, STEPS), strict=True):
        assert_same(found, wanted)


@each_kind
@many
@given(events=EVENTS, seed=st.integers(0, 9))
def test_hypotheses_of_a_running_batch_decode_as_with_teacher_forcing(
    pairs: dict[tuple[str, int], tuple[CNP, CNP]], kind: tuple[str, int], events: list[str], seed: int
) -> None:
    running = Running(pairs[kind][1], Row((IMAGE, SHORT_TEXT)))

    assert running.go_through(events, seed) >= WIDE * len(events)


def test_many_steps_outgrow_the_cache() -> None:
    row = Row((IMAGE,))
    cnp, copy = in_runtime(gate="normalised", max_length=80)

    assert_same(step_through(copy, [row], 70)[0], step_through(cnp, [row], 70)[0])


def test_a_free_place_is_computed_and_ignored(pairs: dict[tuple[str, int], tuple[CNP, CNP]]) -> None:
    cnp, copy = pairs["normalised", 1]
    row = Row((IMAGE,))
    cohort = copy.start(row.encode(copy), "caption")
    cohort.join(copy.start(row.encode(copy), "caption"))
    cohort.leave([0])

    (scores,) = copy.step([cohort], [torch.zeros(2, 1, dtype=torch.long)])

    assert_same(scores[1], step_through(cnp, [row], 1)[0])


@pytest.mark.parametrize("changes", NETWORKS, ids=str)
def test_what_the_graph_has_not_runs_in_torch(changes: dict[str, Any]) -> None:
    decoder = small_cnp(torch.float32, **changes).decoder

    in_graph = graph_decoder(decoder) is not None

    of_decoder = changes.get("mixer") or "experts" in changes
    of_decoder = of_decoder or ("convolutions" in changes and changes["convolutions"].decoder)
    assert in_graph == (changes.get("link_array", True) and not of_decoder)


def test_a_small_decoder_runs_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = small_cnp(torch.float32, gate="normalised").decoder
    monkeypatch.setattr(decoders, "LEAST", 10**6)

    assert graph_decoder(decoder) is None


def test_a_graph_that_answers_otherwise_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Shifted(GraphDecoder):
        def run_layers(self, x: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
            return super().run_layers(x, cohorts) + 1

    monkeypatch.setattr(decoders, "GraphDecoder", Shifted)

    with caplog.at_level(logging.WARNING):
        assert graph_decoder(small_cnp(torch.float32, gate="normalised").decoder) is None

    assert "ONNX Runtime's steps differ from torch's by 1.0e+00; steps run in torch" in caplog.text


@pytest.mark.parametrize(("precision", "in_graph"), [("float32", True), ("bfloat16", False), ("int8", False)])
def test_only_float32_has_a_graph(toy: Checkpoint, precision: Precision, in_graph: bool) -> None:
    quick = for_inference(toy.network, CPU, precision)

    assert isinstance(quick.cnp.decoder, GraphDecoder) == in_graph
    assert np.isfinite(quick.cnp.decoder.positions.numpy()).all()


def test_the_original_network_is_unchanged(toy: Checkpoint) -> None:
    network = replace(toy).network

    for_inference(network, CPU, "float32")

    assert not isinstance(network.cnp.decoder, GraphDecoder)
