"""Boxes: classes and back, the grammar, the head, conversions of coordinates, and answers of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.checkpoint import Checkpoint
from omninet.model.confidence.confidence import Confidence
from omninet.model.errors import InputError
from omninet.model.modalities.vision.config import Framed, Treatment, VisionConfig, Window
from omninet.model.modalities.vision.fit import fit
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.boxes.answer import PlacedBox, Places
from omninet.model.outputs.boxes.frame import inside, pixels, read_candidates, to_picture, to_square
from omninet.model.outputs.boxes.head import FAR, BoxesHead, attention_loss, cells_of, overlap_loss
from omninet.model.outputs.boxes.tokens import (
    BINS,
    BOX,
    CLASSES,
    END,
    LENGTH,
    MOST_BOXES,
    BoxGrammar,
    boxes_of,
    names_of,
)
from omninet.model.outputs.head import States
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from tests.conftest import FIRST_TASKS
from tests.samples import picture
from tests.toys import toy_with

OUTPUT = OUTPUTS["boxes"]
IDS = tuple(range(len(CLASSES)))
PHRASE = "a brown dog"


@dataclass(frozen=True)
class Right:
    """Ground truth of a phrase."""

    truth: Any
    answer: str = ""
    question: None = None
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answer_type: str = ""


def test_boxes_become_classes_and_back() -> None:
    small, large = (0.5, 0.5, 0.6, 0.75), (0.0, 0.25, 1.0, 1.0)

    names = names_of([small, large])

    assert names == [BOX, "0", "56", "223", "223", BOX, "112", "112", "134", "167", END]
    assert [start for start, _ in boxes_of(names)] == [0, 5]
    for (_, found), wanted in zip(boxes_of(names), (large, small), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.5 / (BINS - 1))
    assert names_of([]) == [END]
    assert len(names_of([small] * 20)) == 5 * MOST_BOXES + 1
    assert list(boxes_of(names[:8])) == list(boxes_of(names[:5]))


def test_the_grammar_allows_exactly_complete_boxes() -> None:
    grammar = BoxGrammar(IDS)
    box, end = IDS[BINS:]

    assert set(grammar.following([])) == {box}
    assert set(grammar.following([box])) == set(range(BINS))
    assert set(grammar.following([box, 7, 9])) == set(range(7, BINS))
    assert set(grammar.following([box, 7, 9, 8])) == set(range(9, BINS))
    assert set(grammar.following([box, 7, 9, 8, 9])) == {box, end}
    assert set(grammar.following([box, 7, 9, 8, 9] * MOST_BOXES)) == {end}
    ids = [CLASSES.index(name) for name in names_of([(0.1, 0.2, 0.3, 0.9)])]
    assert all(each in grammar.following(ids[:i]) for i, each in enumerate(ids))
    assert [grammar.is_ordered(ids[:i]) for i in range(6)] == [False, True, True, True, True, False]


def test_a_near_miss_costs_less_than_a_far_one() -> None:
    head = BoxesHead(TASKS["ground"], 8)

    def loss(said: int, wanted: int, term: str = "nll") -> float:
        scores = torch.full((1, 1, len(CLASSES)), -12.0)
        scores[0, 0, said] = 0.0
        states = {"classes": States(torch.log_softmax(scores, -1))}
        return float(head.loss(states, torch.tensor([[wanted]]), torch.tensor([[True]])).terms[term])  # type: ignore[arg-type]

    assert loss(100, 100) < loss(103, 100) < loss(130, 100)
    # The distance goes on growing where the cross entropy has stopped.
    assert loss(150, 100, "distance") == pytest.approx(FAR * 50 / (BINS - 1), rel=0.01)
    assert loss(200, 100, "distance") == pytest.approx(FAR * 100 / (BINS - 1), rel=0.01)
    assert loss(IDS[-1], IDS[-2], "distance") == 0
    assert loss(IDS[-1], IDS[-1]) == pytest.approx(0, abs=0.01)
    assert loss(IDS[-2], IDS[-1]) == pytest.approx(12, abs=0.1)
    assert "targets" not in head.state_dict()


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
@pytest.mark.parametrize("side", [None, 80])
@pytest.mark.parametrize("window", ["middle", "corner"])
@pytest.mark.parametrize("size", [(120, 90), (60, 140), (100, 100)])
def test_a_spot_is_found_where_it_is(
    treatment: Treatment, side: int | None, window: Window, size: tuple[int, int]
) -> None:
    """A red spot in the picture, looked for in the square that the network sees."""
    config = VisionConfig(size=64)
    framing = replace(config.image, treatment=treatment, side=side, window=window)
    width, height = size
    pixels_of = np.zeros((1, 3, height, width), np.uint8)
    left, top = int(0.35 * width), int(0.3 * height)
    pixels_of[0, 0, top : top + 20, left : left + 20] = 255

    square = fit(pixels_of, framing, 64)[0].astype(int)
    rows, columns = np.nonzero((square[0] > 128) & (square[1] < 64))
    framed = Framed(treatment, 64 / (side or 64), window, width / height, size)
    found = (columns.min() / 64, rows.min() / 64, (columns.max() + 1) / 64, (rows.max() + 1) / 64)
    wanted = (left / width, top / height, (left + 20) / width, (top + 20) / height)

    seen = to_picture(to_square(wanted, framed), framed)  # the part of it in the square
    np.testing.assert_allclose(to_picture(found, framed), seen, atol=2.5 / 64 * max(1, width / height, height / width))
    np.testing.assert_allclose(pixels(wanted, framed), (left, top, left + 20, top + 20), atol=0.06)


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    """Return the toy network with the task ``ground``."""
    return toy_with(toy, [*FIRST_TASKS, "ground"], {"places": CLASSES})


def grounded(predictor: Predictor, **options: Any) -> Places:
    answer = predictor.predict("ground", image=Image.new("RGB", (200, 100), "red"), phrase=PHRASE, **options)
    assert isinstance(answer, Places)
    return answer


def test_boxes_lie_in_the_picture(predictor: Predictor) -> None:
    answer = grounded(predictor)

    assert 0 <= answer.absent_probability <= 1
    assert bool(answer.boxes) == (answer.absent_probability <= 0.5)
    probabilities = [box.probability for box in answer.boxes]
    assert probabilities == sorted(probabilities, reverse=True)
    for box in answer.boxes:
        x1, y1, x2, y2 = box.box
        assert 0 <= x1 <= x2 <= 200
        assert 0 <= y1 <= y2 <= 100
        np.testing.assert_allclose(box.box, np.array(box.relative) * (200, 100, 200, 100), atol=0.06)


def test_candidates_are_scored_as_their_classes(predictor: Predictor) -> None:
    candidates = [(0, 0, 100, 50), (50, 10, 60, 90), (0, 0, 200, 100)]

    answer = grounded(predictor, candidates=candidates)

    image = Image.new("RGB", (200, 100), "red")
    sequences = [
        [CLASSES.index(name) for name in names_of([(x1 / 200, y1 / 100, x2 / 200, y2 / 100)])[:-1]]
        for x1, y1, x2, y2 in candidates
    ]
    scored = predictor.score("ground", sequences, image=image, phrase=PHRASE)
    totals = [sum(each.log_probabilities[1:]) for each in scored]
    expected = np.exp(totals) / np.exp(totals).sum()
    by_box = {box.box: box.probability for box in answer.boxes}
    assert by_box.keys() == {tuple(map(float, box)) for box in candidates}
    found = np.array([by_box[x1, y1, x2, y2] for x1, y1, x2, y2 in candidates])
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert answer.absent_probability == pytest.approx(1 - math.exp(scored[0].log_probabilities[0]), rel=1e-4)
    assert answer.absent_probability == pytest.approx(grounded(predictor).absent_probability, abs=1e-4)


def test_calibration_decides_what_is_absent(predictor: Predictor) -> None:
    by_threshold = {}
    for threshold in (0.0, 1.0):
        absence = Confidence(slope=0.0, offset=1.0, threshold=threshold)
        predictor.confidences["ground"] = Confidence(slope=0.0, offset=2.0, threshold=0.5, absence=absence)
        by_threshold[threshold] = grounded(predictor)
    del predictor.confidences["ground"]

    absent, present = by_threshold[0.0], by_threshold[1.0]
    assert absent.boxes == ()
    assert absent.absent_probability == present.absent_probability == pytest.approx(1 / (1 + math.exp(-1)))
    assert absent.confidence == pytest.approx(absent.absent_probability, abs=1e-4)
    assert {box.probability for box in present.boxes} == {1 / (1 + math.exp(-2))}
    assert present.confidence == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-4)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ("a box", "must be a list of boxes"),
        ([], "1 to 100 boxes, not 0"),
        ([(0, 0, 1, 1)] * 101, "1 to 100 boxes, not 101"),
        ([(0, 0, 1)], r"candidates\[0\] must be four finite numbers"),
        ([(0, 0, 9, 9), (0, 0, "9", 9)], r"candidates\[1\] must be four finite numbers"),
        ([(0, 0, math.nan, 9)], "finite"),
        ([(0, 0, True, 9)], "finite"),
        ([(9, 0, 9, 9)], "x1 < x2 and y1 < y2"),
        ([(0, 9, 9, 0)], "x1 < x2 and y1 < y2"),
        ([(0, 0, 201, 9)], "inside of the picture of 200 x 100 pixels"),
        ([(-1, 0, 9, 9)], "inside of the picture"),
    ],
)
def test_invalid_candidates(predictor: Predictor, candidates: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        grounded(predictor, candidates=candidates)

    assert (caught.value.code, caught.value.detail["option"]) == ("bad_option", "candidates")


def test_candidates_are_fractions_of_the_picture() -> None:
    framed = Framed("squash", 1.0, "middle", 2.0, (200, 100))

    assert inside(read_candidates([[20, 10, 100, 100]]), framed) == [(0.1, 0.1, 0.5, 1.0)]


def test_a_mixed_batch_answers_as_each_row_alone(predictor: Predictor) -> None:
    given = {"image": picture(), "phrase": PHRASE}
    jobs = [
        predictor.prepare("ground", **given),
        predictor.prepare("caption", image=picture()),
        predictor.prepare("ground", **given, candidates=[(0, 0, 5, 5), (1, 1, 9, 9)]),
        predictor.prepare("pos", text="A dog runs."),
    ]

    decoded = predictor.run([row for job in jobs for row in job.rows])

    for job, row in zip(jobs, decoded, strict=True):
        (alone,) = predictor.run(job.rows)
        assert row.tokens == alone.tokens
        np.testing.assert_allclose(row.log_probabilities, alone.log_probabilities, atol=1e-4)


def placed(*boxes: tuple[float, float, float, float], absent: float = 0.1) -> Places:
    return Places(boxes=tuple(PlacedBox(box, box, 0.5) for box in boxes), absent_probability=absent)


def test_measures_tell_one_box_from_several_and_from_none() -> None:
    left, right, whole = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
    truths = [Right((left,)), Right((right,)), Right((left, right)), Right(()), Right(())]
    answers = [placed(left), placed(left), placed(whole, right), placed(absent=0.9), placed(left, absent=0.05)]

    found = OUTPUT.metrics(truths, answers)

    assert next(iter(found)) == "accuracy at IoU 0.5"
    assert found["accuracy at IoU 0.5"] == 50
    assert found["all phrases: accuracy at IoU 0.5"] == pytest.approx(200 / 3)
    assert found["absent phrases rejected at 90% kept"] == 50
    assert [OUTPUT.is_right(*pair) for pair in zip(truths, answers, strict=True)] == [True, False, True, True, False]
    name, constant = OUTPUT.constant(truths, truths)
    assert name == "the whole picture"
    assert OUTPUT.metrics(truths[:2], constant[:2])["accuracy at IoU 0.5"] == 100


def test_a_box_beside_the_true_one_costs() -> None:
    # The left half of the square, then its lower right quarter; a row that says that there is nothing is padded.
    ids = [CLASSES.index(name) for name in names_of([(0.0, 0.0, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0)])]
    targets = torch.tensor([ids, [CLASSES.index(END)] + [0] * (len(ids) - 1)])
    mask = torch.ones_like(targets, dtype=torch.bool)
    mask[1, 1:] = False
    right = targets / (BINS - 1)
    beside, inside = right.clone(), right.clone()
    beside[0, 1], beside[0, 3] = 0.5, 1.0  # the right half
    inside[0, 4] = 0.5  # the upper left quarter

    assert float(overlap_loss(right, targets, mask)) == pytest.approx(0, abs=1e-4)
    assert float(overlap_loss(inside, targets, mask)) == pytest.approx(1 - 0.5, abs=0.01)
    assert float(overlap_loss(beside, targets, mask)) == pytest.approx(1, abs=0.01)
    assert float(overlap_loss(beside[1:, :1], targets[1:, :1], mask[1:, :1])) == 0


def test_attention_outside_of_the_box_costs() -> None:
    # The left half of the square, then its lower right quarter; a row that says that there is nothing is padded.
    ids = [CLASSES.index(name) for name in names_of([(0.0, 0.0, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0)])]
    targets = torch.tensor([ids, [CLASSES.index(END)] + [0] * (len(ids) - 1)])
    mask = torch.ones_like(targets, dtype=torch.bool)
    mask[1, 1:] = False
    within = torch.zeros(2, len(ids), 16)
    within[0, :LENGTH, [0, 4]] = 0.5  # cells of the first column
    within[0, LENGTH : 2 * LENGTH, 15] = 1.0
    elsewhere = within.flip(-1)
    even = torch.full_like(within, 1 / 16)

    assert float(attention_loss([within], targets, mask)) == pytest.approx(0, abs=0.01)
    assert float(attention_loss([elsewhere], targets, mask)) > 10
    assert float(attention_loss([even], targets, mask)) == pytest.approx(LENGTH * (math.log(2) + math.log(4)), abs=0.1)
    both = float(attention_loss([within, even], targets, mask))
    assert both == pytest.approx(0.5 * float(attention_loss([even], targets, mask)), abs=0.1)
    assert float(attention_loss([even[1:, :1]], targets[1:, :1], mask[1:, :1])) == 0


def test_a_cell_counts_by_its_share_in_the_box() -> None:
    found = cells_of(torch.tensor([0.25, 0.5, 0.625, 0.75]), 4).view(4, 4)

    torch.testing.assert_close(found[2], torch.tensor([0.0, 1.0, 0.5, 0.0]))
    assert found.sum() == found[2].sum()
    assert cells_of(torch.tensor([0.3, 0.3, 0.31, 0.31]), 4).view(4, 4)[1, 1] == 1  # much smaller than a cell
