"""Measures of a checkpoint, beside the best constant answer, and how they get into its card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.answers import Answer, Candidate, Caption, Label, TaggedWord, Tagging
from model.checkpoint import load, save
from model.predictor import Predictor
from tests.training.conftest import make_config, put
from training.config import RunConfig
from training.data import DataError, Example
from training.evaluate import MEASURES, Measure, answer_all, evaluate, table, write_to_card
from training.metrics.bleu import bleu4
from training.setup import Setup

FIGURES = [
    Measure("vqa", "accuracy", 25.04, 12.5, "table", 8),
    Measure("caption", "BLEU-4", 14.25, 8.5, "a dog runs", 1000),
]


@pytest.fixture
def folder(setup: Setup, tmp_path: Path) -> Path:
    """A checkpoint of an untrained run."""
    save(setup.checkpoint("# Tiny\n\nA card.\n"), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def labels(*names: str) -> list[Answer]:
    return [Label(name, (Candidate(name, 1.0),)) for name in names]


def tags(*sentences: Sequence[str]) -> list[Answer]:
    return [Tagging((tuple(TaggedWord("x", None, None, tag, 1.0) for tag in tags),)) for tags in sentences]


def test_accuracy_of_labels() -> None:
    train = [Example("vqa", answer=a) for a in ("red", "red", "two")]
    dev = [Example("vqa", answer=a) for a in ("red", "two", "two", "Two")]

    measure = MEASURES["vqa"](dev, labels("red", "two", "red", "two"), train)

    # Right are the first and the second; "red" always would be right once.
    assert measure == Measure("vqa", "accuracy", 50.0, 25.0, "red", 4)


def test_accuracy_of_words() -> None:
    train = [Example("pos", tags=("NN", "NN", "DT"))]
    dev = [Example("pos", tags=("DT", "NN", "NN")), Example("pos", tags=("VB",))]

    measure = MEASURES["pos"](dev, tags(["DT", "NN", "VB"], ["VB"]), train)

    # Words count, not sentences; "NN" always would be right twice.
    assert measure == Measure("pos", "accuracy of words", 75.0, 50.0, "NN", 4)


def test_bleu_of_captions() -> None:
    captions = ("A dog runs over the grass .", "Grass under a running dog .")
    train = [Example("caption", answer="a", captions=("A dog runs over the field .",))]
    dev = [Example("caption", answer=captions[0], captions=captions)] * 2
    written: list[Answer] = [Caption("A dog runs over grass", -1.0, ()), Caption("A dog runs over the grass", -1.0, ())]

    measure = MEASURES["caption"](dev, written, train)

    assert measure.value == pytest.approx(bleu4(["a dog runs over grass", "a dog runs over the grass"], [captions] * 2))
    assert measure.constant_answer == "a dog runs over the field"
    assert measure.constant == pytest.approx(bleu4(["a dog runs over the field"] * 2, [captions] * 2))
    assert 0 < measure.constant < measure.value < 100


def test_every_task_is_measured_from_raw_files(folder: Path, data: Path) -> None:
    measures = evaluate(Predictor.load(folder, device="cpu"), make_config(), data)

    assert [(m.task, m.name, m.count) for m in measures] == [
        ("caption", "BLEU-4", 2),
        ("pos", "accuracy of words", 9),
        ("vqa", "accuracy", 2),
        ("activity", "accuracy", 2),
    ]
    assert [m.constant_answer for m in measures][1:] == [".", "red", "run fast"]
    assert [m.constant for m in measures][1:] == pytest.approx([200 / 9, 50.0, 50.0])


def test_answers_are_the_predictors(folder: Path, data: Path) -> None:
    predictor = Predictor.load(folder, device="cpu")
    examples = [Example("activity", video=data / "activities" / "clips" / "wave" / "dev0.mp4", answer="wave")]

    assert answer_all(predictor, examples) == [predictor.predict("activity", video=examples[0].video)]


def test_a_limit(folder: Path, data: Path) -> None:
    measures = evaluate(Predictor.load(folder, device="cpu"), only("vqa"), data, limit=1)

    assert [m.count for m in measures] == [1]


def only(task: str) -> RunConfig:
    """A run of one task."""
    return make_config(tasks={task: make_config().tasks[task].model_dump()})


def test_a_data_set_without_dev_examples_is_named(folder: Path, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    put(copy / "daquar" / "qa_dev.csv", "question,answer,image_id\n")

    with pytest.raises(DataError, match=r"daquar holds no dev example"):
        evaluate(Predictor.load(folder, device="cpu"), only("vqa"), copy)


def test_the_table() -> None:
    assert table(FIGURES).splitlines() == [
        "| task | measure | network | best constant | the constant | examples |",
        "|---|---|---|---|---|---|",
        "| vqa | accuracy | 25.0 | 12.5 | table | 8 |",
        "| caption | BLEU-4 | 14.2 | 8.5 | a dog runs | 1000 |",
    ]


def test_figures_go_into_the_card(folder: Path) -> None:
    write_to_card(folder, FIGURES, "omninet evaluate --data DATA")

    card = load(folder).card
    assert card.startswith("# Tiny\n\nA card.\n\n## Evaluation\n\nOn the dev splits, by `omninet evaluate")
    assert table(FIGURES) in card


def test_later_figures_replace_the_earlier(setup: Setup, tmp_path: Path) -> None:
    save(setup.checkpoint("# Tiny\n\n## Evaluation\n\nold\n\n## Limits\n\nmany\n"), tmp_path / "checkpoint")

    write_to_card(tmp_path / "checkpoint", FIGURES, r"a \1 command")
    write_to_card(tmp_path / "checkpoint", FIGURES[:1], "a command")

    card = load(tmp_path / "checkpoint").card
    assert card.count("## Evaluation") == 1
    assert "old" not in card
    assert "BLEU" not in card
    assert card.startswith("# Tiny\n\n## Evaluation\n")
    assert card.endswith("\n## Limits\n\nmany\n")
