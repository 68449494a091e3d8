"""Questions about the wrong photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.outputs.answer import Answer
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.other_photo import answer_about_others, swap_media


def probabilities(answer: Answer) -> dict[str, float]:
    assert isinstance(answer, Label)
    return {c.label: c.probability for c in answer.candidates}


def test_no_question_keeps_its_photo() -> None:
    examples = [Example("vqa", {"image": Path(f"{name}.jpg"), "question": str(i)}) for i, name in enumerate("aabbcdde")]

    swapped = swap_media(examples)

    assert [e.question for e in swapped] == [e.question for e in examples]
    assert [e.image.stem for e in swapped if e.image] == list("ccddeaab")
    assert swap_media(examples) == swapped


def test_clips_are_swapped_as_clips() -> None:
    swapped = swap_media([Example("vqa", {"video": Path(f"{i}.mp4"), "question": "what"}) for i in range(3)])

    assert [e.video for e in swapped] == [Path("1.mp4"), Path("2.mp4"), Path("0.mp4")]
    assert {e.image for e in swapped} == {None}


def test_one_photo_has_no_other(predictor: Predictor) -> None:
    assert answer_about_others(predictor, [Example("vqa", {"image": Path("a.jpg"), "question": "what"})] * 2) == []


def test_the_network_is_asked_about_the_other_photo(predictor: Predictor, data: Path) -> None:
    one, other = (data / "daquar" / "images" / f"image{i}.jpg" for i in range(2))

    found = answer_about_others(
        predictor, [Example("vqa", {"image": path, "question": "what"}) for path in (one, other)]
    )

    right = [predictor.predict("vqa", image=path, question="what") for path in (other, one)]
    assert [probabilities(a) for a in found] == [pytest.approx(probabilities(a), abs=1e-5) for a in right]
