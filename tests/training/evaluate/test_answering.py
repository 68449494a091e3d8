"""Answers to data sets come from the predictor, whole or in part."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import DataError, Example
from omninet.training.evaluate import answer_all, answer_data
from tests.training.conftest import make_config, put
from tests.training.evaluate.conftest import answered


def only(task: str) -> RunConfig:
    """A run of one task."""
    return make_config(tasks={task: make_config().tasks[task].model_dump()})


def test_answers_are_the_predictors(predictor: Predictor, data: Path) -> None:
    clip = data / "activities" / "clips" / "wave" / "dev0.mp4"
    photo = data / "daquar" / "images" / "image0.jpg"

    for task, inputs in (
        ("activity", {"video": clip}),
        ("caption", {"video": clip}),
        ("vqa", {"image": photo, "question": "what ?"}),
    ):
        assert answer_all(predictor, [Example(task, inputs)]) == [predictor.predict(task, **inputs)]
    sentence = Example("pos", {"tokens": ("A", "dog")})
    assert answer_all(predictor, [sentence]) == [predictor.predict("pos", tokens=["A", "dog"])]


def test_the_split_and_all_of_it(predictor: Predictor, data: Path) -> None:
    (given,) = answer_data(predictor, only("vqa"), data, split="train")

    assert [e.answer for e in given.examples] == ["red", "green", "blue", "white"]
    assert len(given.answers) == 4


def test_a_limit_is_spread_over_the_data(predictor: Predictor, data: Path) -> None:
    (given,) = answer_data(predictor, only("vqa"), data, limit=2, split="train")

    assert [e.answer for e in given.examples] == ["red", "blue"]
    assert len(given.answers) == 2


def test_every_data_set_of_a_task(predictor: Predictor, data: Path) -> None:
    values = make_config().tasks["vqa"].model_dump() | {"more": [{"dataset": "daquar", "folder": "daquar/../daquar"}]}

    first, second = answer_data(predictor, make_config(tasks={"vqa": values}), data)

    assert (first.is_further, second.is_further) == (False, True)
    assert [e.question for e in first.examples] == [e.question for e in second.examples]
    assert second.dataset.folder == data / "daquar/../daquar"
    assert [given.key for given in (first, second)] == ["vqa", "vqa/daquar in daquar/../daquar"]


def test_a_use_is_named_by_what_was_given() -> None:
    examples = {
        "caption": Example("caption", {"image": Path("x.jpg")}),
        "video-caption": Example("caption", {"video": Path("x.mp4")}),
        "video-qa": Example("vqa", {"video": Path("x.mp4"), "question": "what?"}),
        "activity": Example("activity", {"video": Path("x.mp4")}),
        "pos": Example("pos", {"tokens": ("x",)}),
    }

    assert [answered([], [example], []).use for example in examples.values()] == list(examples)


def test_a_data_set_without_dev_examples_is_named(predictor: Predictor, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    put(copy / "daquar" / "qa_dev.csv", "question,answer,image_id\n")

    with pytest.raises(DataError, match=r"daquar holds no dev example"):
        list(answer_data(predictor, only("vqa"), copy))


def test_an_unreadable_example_is_named(predictor: Predictor, tmp_path: Path) -> None:
    put(tmp_path / "broken.jpg", b"nothing")

    with pytest.raises(DataError, match=r"broken\.jpg cannot be evaluated: the file is not a readable image"):
        answer_all(predictor, [Example("caption", {"image": tmp_path / "broken.jpg"})])


def test_progress_is_shown_on_stderr(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    example = Example("pos", {"tokens": ("A", "dog")})

    answer_all(predictor, [example])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "pos: 100%" in shown.err

    answer_all(predictor, [example], bar=False)
    assert capsys.readouterr().err == ""
