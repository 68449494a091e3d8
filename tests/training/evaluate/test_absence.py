"""Calibration of absence on the toy network."""

from __future__ import annotations

import pytest
from PIL import Image

from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs.boxes.tokens import CLASSES
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.absence import fit_absence
from tests.conftest import FIRST_TASKS
from tests.toys import toy_with

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    """Return the toy network with the task ``ground``."""
    return toy_with(toy, [*FIRST_TASKS, "ground"], {"places": CLASSES})


def phrases(absent: int) -> list[Example]:
    """Return twenty phrases, ``absent`` of which are absent."""
    image = Image.new("RGB", (40, 30), "blue")
    return [
        Example("ground", {"image": image, "phrase": f"thing {i}"}, truth=() if i < absent else (WHOLE,))
        for i in range(20)
    ]


def test_nine_of_ten_things_that_are_there_are_found(predictor: Predictor) -> None:
    examples = phrases(absent=10)

    absence = fit_absence(predictor, examples)

    assert absence is not None
    output = predictor.output("ground")
    shares = []
    for example in examples[10:]:
        (row,) = predictor.run(predictor.prepare("ground", **example.inputs).rows)
        shares.append(absence.of(output.absence(row)))
    assert sum(share <= absence.threshold for share in shares) == 9


@pytest.mark.parametrize("absent", [0, 20])
def test_nothing_is_fitted_to_one_kind(predictor: Predictor, absent: int) -> None:
    assert fit_absence(predictor, phrases(absent)) is None
