"""The precision of an answering network is chosen after a trial."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.fast import precision
from omninet.model.fast.agreement import NEAR, Agreement
from omninet.model.fast.precision import Said, compare, settle, trials
from omninet.model.predictor import Predictor

CPU = torch.device("cpu")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is a large network on a processor that multiplies bfloat16."""
    monkeypatch.setattr(precision, "LARGE", 1000)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: True)


def log_probabilities(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([rows]).log()


def test_outputs_that_are_compared() -> None:
    wanted = log_probabilities([0.8, 0.1, 0.1], [0.4, 0.39, 0.21], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    found = log_probabilities([0.7, 0.2, 0.1], [0.39, 0.4, 0.21], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1])

    agreement = compare([Said(torch.zeros(1, 4), wanted)], [found])

    # The second is not clear, so that only the third counts as another choice.
    assert (agreement.outputs, agreement.clear, agreement.flipped) == (4, 3, 1)
    assert agreement.difference == pytest.approx(float((wanted - found).abs().mean()))
    assert not agreement.holds


@pytest.mark.parametrize(
    ("flipped", "difference", "holds"), [(0, 0.05, True), (0, 0.051, False), (1, 0.0, False), (0, math.inf, False)]
)
def test_what_is_near_enough(flipped: int, difference: float, holds: bool) -> None:
    assert Agreement(9, 9, flipped, difference).holds == holds


def test_no_number_is_far_away() -> None:
    said = [Said(torch.zeros(1, 1), log_probabilities([0.5, 0.5]))]

    assert compare(said, [torch.full((1, 1, 2), math.nan)]).difference == math.inf


def test_trials_have_every_task_and_an_end(toy_predictor: Predictor) -> None:
    batches = trials(toy_predictor)

    assert all(len({row.goal for row in batch}) == 1 for batch in batches)
    rows = list(chain.from_iterable(batches))
    assert {row.goal.task for row in rows} == set(toy_predictor.tasks)
    assert max(row.goal.steps for row in rows) <= precision.STEPS
    pictures = [given.value for row in rows for given in row.inputs if given.frames]
    assert not any(np.array_equal(one, other) for one in pictures for other in pictures if one is not other)


@pytest.mark.usefixtures("large")
def test_a_large_network_where_bfloat16_is_quick(toy: Checkpoint, toy_predictor: Predictor) -> None:
    _, chosen, agreement = settle(toy.network, CPU, "auto", toy_predictor)

    assert chosen == "bfloat16"
    assert agreement is not None
    assert agreement.outputs == sum(row.goal.steps for batch in trials(toy_predictor) for row in batch)
    assert 0 < agreement.difference < NEAR


@pytest.mark.usefixtures("large")
def test_where_they_do_not_agree_it_is_float32(
    toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omninet.model.fast.agreement.NEAR", 0.0)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)
    assert settle(toy.network, CPU, "bfloat16", toy_predictor).precision == "bfloat16"  # who asks for it has it


def test_a_small_network(toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: True)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)


def test_a_processor_without_bfloat16(
    toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "LARGE", 1000)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: False)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)


@pytest.mark.parametrize("wanted", ["bfloat16", "int8"])
def test_the_bundled_model_says_the_same(wanted: str) -> None:
    """Trained weights, of which most outputs are clear."""
    agreement = Predictor.load(device="cpu", precision=wanted).agreement

    assert agreement is not None
    assert agreement.clear > 0.8 * agreement.outputs
    assert agreement.holds
