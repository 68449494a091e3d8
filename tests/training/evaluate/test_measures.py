"""Measures of a checkpoint, beside the best constant answer."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from omninet.model.outputs.answer import Answer
from omninet.model.outputs.label.answer import Candidate, Label
from omninet.model.outputs.label.output import MOST_CLASSES
from omninet.model.outputs.text import captions as caption_metrics
from omninet.model.outputs.text.bleu import bleu4
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate import Figure, Measure, answer_data, evaluate, measure
from tests.training.conftest import make_config
from tests.training.evaluate.conftest import FixedClips, answered, captions, labels, tags

ASKED = {"image": Path("x.jpg"), "question": "what?"}
CAPTIONS = ("A dog runs over the grass .", "Grass under a running dog .")


def test_answers_without_annotators_must_be_exact() -> None:
    train = [Example("vqa", answer=a) for a in ("red", "red", "two")]
    dev = [Example("vqa", ASKED, answer=a) for a in ("red", "two", "two", "Two")]

    found = measure(answered(train, dev, labels("red", "two", "red", "two")))

    # Right are the first and the second; "red" always would be right once.
    assert found == Measure("vqa", "fixed", "accuracy", 50.0, 25.0, "red", 4, key="vqa")


def test_answers_with_annotators_are_measured_by_type() -> None:
    train = [Example("vqa", answer=a) for a in ("yes", "yes", "2")]
    dev = [
        Example("vqa", ASKED, answer="yes", answers=("yes",) * 8 + ("no",) * 2, answer_type="yes/no"),
        Example("vqa", ASKED, answer="no", answers=("yes",) * 2 + ("no",) * 8, answer_type="yes/no"),
        Example("vqa", ASKED, answer="2", answers=("two",) * 2 + ("3",) * 8, answer_type="number"),
    ]

    found = measure(answered(train, dev, labels("yes", "no", "2")))

    assert (found.name, found.constant_answer) == ("VQA accuracy", "yes")
    assert (found.value, found.constant) == pytest.approx((100 * (1 + 1 + 0.6) / 3, 100 * (1 + 0.6) / 3))
    assert [f.name for f in found.further] == ["yes/no", "number"]
    assert [f.value for f in found.further] == pytest.approx([100, 60])
    assert [f.constant for f in found.further] == pytest.approx([80, 0])


def test_words_count_and_not_sentences() -> None:
    train = [Example("pos", tags=("NN", "NN", "DT"))]
    dev = [Example("pos", tags=("DT", "NN", "NN")), Example("pos", tags=("VB",))]

    found = measure(answered(train, dev, tags(["DT", "NN", "VB"], ["VB"])))

    # "NN" always would be right twice of four; of the three tags, all, half and all are found.
    further = Figure("mean recall of tags", 100 * 2.5 / 3, 100 / 3)
    assert found == Measure("pos", "fixed", "accuracy of words", 75.0, 50.0, "NN", 4, (further,), key="pos")


def test_activities() -> None:
    train = [Example("activity", answer=a) for a in ("wave", "wave", "red", "run")]
    dev = [Example("activity", {"video": Path("x.mp4")}, answer=a) for a in ("run", "red", "red", "red")]

    found = measure(answered(train, dev, labels("run", "wave", "red", "run")))

    # "red" is everybody's second guess, and the second most common in training.
    assert (found.task, found.name, found.value, found.constant) == ("activity", "top-1", 50.0, 0.0)
    top5, recall = found.further
    assert top5 == Figure("top-5", 100.0, 100.0)
    assert recall == Figure("mean recall of classes", 100 * (1 + 1 / 3) / 2, 0.0)
    assert found.confusion is not None
    assert found.confusion.classes == ("red", "run", "wave")
    assert found.confusion.counts == ((1, 1, 1), (0, 1, 0), (0, 0, 0))


def test_many_classes_have_no_confusion_matrix() -> None:
    names = [f"class {i}" for i in range(MOST_CLASSES + 1)]
    dev = [Example("activity", {"video": Path("x.mp4")}, answer=name) for name in names]
    few, many = (measure(answered(dev[:n], dev[:n], labels(*names[:n]))).confusion for n in (MOST_CLASSES, len(names)))

    assert few is not None
    assert many is None


def test_strokes_among_themselves() -> None:
    """Clips of one family of classes, considering only its classes."""
    dev = [
        Example("activity", {"video": Path("x.mp4")}, answer=f"tennis {a}")
        for a in ("serve", "serve", "smash", "smash")
    ]
    candidates = [("run", "tennis serve"), ("tennis smash", "tennis serve"), ("run", "wave"), ("tennis smash",)]
    given: list[Answer] = [
        Label(names[0], tuple(Candidate(name, 0.5) for name in names)) for names in (*candidates, ("run", "wave"))
    ]
    train = [Example("activity", answer=a) for a in ("wave", "wave", "tennis smash")]

    dev = [*dev, Example("activity", {"video": Path("x.mp4")}, answer="run")]
    found = measure(answered(train, dev, given, FixedClips))

    # Of four, the first and the last; always "tennis smash" would be right twice.
    assert found.further[-1] == Figure("tennis strokes among themselves", 50.0, 50.0)
    one_class = measure(answered(train, [dev[0]] * 2, given[:2]))
    assert [f.name for f in one_class.further] == ["top-5", "mean recall of classes"]


def test_answers_are_compared_with_the_question_only_baseline(predictor: Predictor, data: Path) -> None:
    config = make_config()
    given = next(a for a in answer_data(predictor, config, data, split="train") if a.use == "vqa")

    plain, whole = measure(given), measure(given, predictor=predictor)

    # Four times the same question, each time with another answer.
    assert (plain.question_only, plain.other_photo) == (25.0, None)
    swapped = [data / "daquar" / "images" / f"image{(i + 2) % 4}.jpg" for i in range(4)]
    answers = [predictor.predict("vqa", image=path, question=given.examples[0].question) for path in swapped]
    assert whole.other_photo == given.metrics(answers)["accuracy"]
    assert replace(whole, other_photo=None) == plain


def test_captions() -> None:
    train = [Example("caption", captions=("A dog runs over the field .",))]
    dev = [Example("caption", {"image": Path("x.jpg")}, captions=CAPTIONS)] * 2
    written = ["A dog runs over grass", "A dog runs over the grass"]

    found = measure(answered(train, dev, captions(*written)))

    assert (found.task, found.name) == ("caption", "BLEU-4")
    assert found.value == pytest.approx(bleu4(written, [CAPTIONS] * 2))
    assert found.constant_answer == "a dog runs over the field"
    assert found.constant == pytest.approx(bleu4(["a dog runs over the field"] * 2, [CAPTIONS] * 2))
    assert 0 < found.constant < found.value < 100
    assert [f.name for f in found.further] == ["BLEU-1", "BLEU-2", "BLEU-3", "ROUGE-L", "CIDEr"]
    assert [f.value for f in found.further] >= [f.constant for f in found.further]


def test_official_captions_are_measured_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_metrics, "score_official", lambda written, _: {"METEOR": float(len(written[0]))})
    train = [Example("caption", captions=("A cat sits on the roof .",))]
    dev = [Example("caption", {"image": Path("x.jpg")}, captions=CAPTIONS)]
    given = answered(train, dev, captions("A dog"))

    assert "METEOR" not in [f.name for f in measure(given).further]
    assert measure(given, official=True).further[-1] == Figure("METEOR", 5.0, float(len("a cat sits on the roof")))


def test_every_task_is_measured_from_raw_files(predictor: Predictor, data: Path) -> None:
    found = evaluate(predictor, make_config(), data)

    assert [(m.task, m.data, m.name, m.count) for m in found] == [
        ("caption", "flickr8k", "BLEU-4", 2),
        ("pos", "ewt", "accuracy of words", 9),
        ("vqa", "daquar", "accuracy", 2),
        ("activity", "activities", "top-1", 2),
    ]
    assert [m.constant_answer for m in found][1:] == [".", "red", "run fast"]
    assert [m.constant for m in found][1:] == pytest.approx([200 / 9, 50.0, 50.0])


def test_captions_with_a_beam_and_without(predictor: Predictor, data: Path) -> None:
    config = make_config(tasks={"caption": make_config().tasks["caption"].model_dump()})
    (greedy,) = answer_data(predictor, config, data, bar=False)
    searching = copy.copy(predictor)
    searching.config = replace(predictor.config, beams=3)
    (searched,) = answer_data(searching, config, data, bar=False)

    found = measure(searched, predictor=searching)

    figures = {f.name: f for f in found.further}
    alone = greedy.metrics()
    assert figures["BLEU-4, greedy"].value == alone["BLEU-4"]
    assert figures["CIDEr, greedy"].value == alone["CIDEr"]
    assert figures["BLEU-4, greedy"].constant == found.constant
    assert found.value == searched.metrics()["BLEU-4"]
    assert not [f for f in measure(greedy, predictor=predictor).further if "greedy" in f.name]
