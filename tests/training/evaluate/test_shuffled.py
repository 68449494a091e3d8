"""Activities with the frames of clips in other orders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from omninet.model.job import Job
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from omninet.training.data import Example
from omninet.training.evaluate import answer_data
from omninet.training.evaluate import shuffled as module
from omninet.training.evaluate.shuffled import (
    FrameOrder,
    compare_orders,
    orders,
    score_orders,
    shuffled,
    shuffled_table,
)
from tests.training.conftest import make_config


def clip(data: Path) -> Example:
    return Example("activity", {"video": data / "activities" / "clips" / "run_fast" / "dev0.mp4"}, answer="run fast")


def test_orders() -> None:
    first, backwards, middle, *shuffles = (list(order) for order in orders(5, "a clip"))

    assert (first, backwards, middle) == ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2] * 5)
    assert len(shuffles) == 5
    assert all(sorted(order) == first for order in shuffles)
    assert len({tuple(order) for order in shuffles}) > 1
    assert orders(5, "a clip") == orders(5, "a clip") != orders(5, "another")


def test_scores_are_those_of_serving(predictor: Predictor, data: Path) -> None:
    example = clip(data)
    (row,) = predictor.prepare("activity", video=example.video).rows
    frames = row.inputs[0].value
    assert len(frames) == 3

    found = score_orders(predictor, example)

    assert found.shape == (8, 2)
    for scores, order in zip(found, orders(3, example.media[0].name), strict=True):
        job = Job("activity", (Row((row.inputs[0]._replace(value=frames[list(order)]),), row.goal, row.moves),))
        (decoded,) = predictor.run(job.rows)
        best, value = decoded.candidates[0]
        assert scores.argmax().item() == best
        assert scores.max().item() == pytest.approx(value, abs=1e-5)
    assert not torch.allclose(found[0], found[1])


def test_how_many_are_right(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = ("fight", "tennis serve", "tennis smash")
    monkeypatch.setattr(predictor, "vocabularies", {"activity": classes})
    # The first clip is a serve and taken for one, but for a smash if it is reversed; the other two are a fight at all
    # times, for which a smash is the second guess.
    serve = torch.tensor([[0.0, 2.0, 1.0], [0.0, 1.0, 2.0], *[[0.0, 2.0, 1.0]] * 3, *[[3.0, 1.0, 2.0]] * 3])
    fight = torch.tensor([[2.0, 0.0, 1.0]] * 8)
    examples = [
        Example("activity", {"video": Path(name)}, answer=name) for name in ("tennis serve", "fight", "tennis smash")
    ]
    given = dict(zip((e.video for e in examples), (serve, fight, fight), strict=True))
    monkeypatch.setattr(module, "score_orders", lambda _, example: given[example.video])

    found = compare_orders(predictor, examples, "clips", "tennis ")

    names = [
        "as they are",
        "reversed",
        "the middle one, repeated",
        "shuffled, median of 5",
        "always the most common class",
    ]
    assert [o.name for o in found] == names
    assert [o.top1 for o in found] == pytest.approx([200 / 3, 100 / 3, 200 / 3, 100 / 3, 100 / 3])
    assert [o.family for o in found] == [100.0, 50.0, 100.0, 50.0, 50.0]
    assert {(o.data, o.count, o.family_count) for o in found} == {("clips", 3, 2)}


def test_only_activities_are_measured(predictor: Predictor, data: Path) -> None:
    found = shuffled(predictor, answer_data(predictor, make_config(), data, bar=False))

    assert [o.data for o in found] == ["activities"] * 5
    assert all(o.family is None and o.family_count == 0 and o.count == 2 for o in found)


def test_the_table() -> None:
    found = [FrameOrder("reversed", "clips", 50.0, 33.33, 8, 3), FrameOrder("as they are", "clips", 50.0, None, 8, 0)]

    assert shuffled_table(found).splitlines() == [
        "| frames of clips | data | top-1 | clips | tennis strokes among themselves | clips |",
        "|---|---|---|---|---|---|",
        "| reversed | clips | 50.0 | 8 | 33.3 | 3 |",
        "| as they are | clips | 50.0 | 8 | - | 0 |",
    ]
    assert shuffled_table([]) == ""
