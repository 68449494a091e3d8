"""Choice of the precision by a trial."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.fast import precision
from omninet.model.fast.agreement import TOLERANCE, Agreement
from omninet.model.fast.precision import Reference, compare, settle, trials
from omninet.model.predictor import Predictor

CPU = torch.device("cpu")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the toy as a large network on a processor with bfloat16 products."""
    monkeypatch.setattr(precision, "LARGE", 1000)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: True)


def log_probabilities(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([rows]).log()


def test_compare() -> None:
    wanted = log_probabilities([0.8, 0.1, 0.1], [0.4, 0.39, 0.21], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    found = log_probabilities([0.7, 0.2, 0.1], [0.39, 0.4, 0.21], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1])

    agreement = compare([Reference(torch.zeros(1, 4), wanted)], [found])

    # The second output is below the margin, so that only the third counts as flipped.
    assert (agreement.outputs, agreement.clear, agreement.flipped) == (4, 3, 1)
    assert agreement.difference == pytest.approx(float((wanted - found).abs().mean()))
    assert not agreement.holds


@pytest.mark.parametrize(
    ("flipped", "difference", "holds"), [(0, 0.05, True), (0, 0.051, False), (1, 0.0, False), (0, math.inf, False)]
)
def test_holds(flipped: int, difference: float, holds: bool) -> None:
    assert Agreement(9, 9, flipped, difference).holds == holds


def test_nan_does_not_hold() -> None:
    references = [Reference(torch.zeros(1, 1), log_probabilities([0.5, 0.5]))]

    assert compare(references, [torch.full((1, 1, 2), math.nan)]).difference == math.inf


def test_trials_cover_every_task_and_are_short(toy_predictor: Predictor) -> None:
    batches = trials(toy_predictor)

    assert all(len({row.goal for row in batch}) == 1 for batch in batches)
    rows = list(chain.from_iterable(batches))
    assert {row.goal.task for row in rows} == set(toy_predictor.tasks)
    assert max(row.goal.steps for row in rows) <= precision.STEPS
    pictures = [given.value for row in rows for given in row.inputs if given.frames]
    assert not any(np.array_equal(one, other) for one in pictures for other in pictures if one is not other)


@pytest.mark.usefixtures("large")
def test_a_large_network_with_bfloat16_products_uses_bfloat16(toy: Checkpoint, toy_predictor: Predictor) -> None:
    _, chosen, agreement = settle(toy.network, CPU, "auto", toy_predictor)

    assert chosen == "bfloat16"
    assert agreement is not None
    assert agreement.outputs == sum(row.goal.steps for batch in trials(toy_predictor) for row in batch)
    assert 0 < agreement.difference < TOLERANCE


@pytest.mark.usefixtures("large")
def test_without_agreement_float32_is_used(
    toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omninet.model.fast.agreement.TOLERANCE", 0.0)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)
    assert settle(toy.network, CPU, "bfloat16", toy_predictor).precision == "bfloat16"  # an explicit choice is kept


def test_a_small_network_uses_float32(
    toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: True)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)


def test_without_bfloat16_products_float32_is_used(
    toy: Checkpoint, toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "LARGE", 1000)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _device: False)

    assert settle(toy.network, CPU, "auto", toy_predictor)[1:] == ("float32", None)


@pytest.mark.parametrize("wanted", ["bfloat16", "int8"])
def test_the_bundled_model_agrees_with_float32(wanted: str) -> None:
    """Trained weights: most outputs exceed the margin."""
    agreement = Predictor.load(device="cpu", precision=wanted).agreement

    assert agreement is not None
    assert agreement.clear > 0.8 * agreement.outputs
    assert not agreement.flipped
    # In int8 the tail of imagenet's thousand classes, which no answer is made of, differs a little more: by 0.062,
    # or by 0.095 on CPUs where inputs have seven bits.
    assert agreement.difference <= (2 * TOLERANCE if wanted == "int8" else TOLERANCE)
