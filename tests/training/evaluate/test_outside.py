"""Predictions for pictures outside the training distribution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from omninet.model.media.images import decode_image
from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.text.answer import Caption, Piece
from omninet.model.outputs.text.output import TextOutput
from omninet.model.predictor import Predictor
from omninet.training.data import DataError, Example
from omninet.training.evaluate import Measure, outside
from omninet.training.evaluate.outside import (
    HEADING,
    QUESTION,
    TREATMENTS,
    Outside,
    Said,
    ask,
    sample_pictures,
    section,
)
from tests.samples import image_bytes, picture
from tests.training.conftest import photo, put


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A picture of 64 x 48 pixels."""
    put(tmp_path / "sample.png", image_bytes(picture()))
    return tmp_path / "sample.png"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that looks like scikit-image."""
    put(tmp_path / "skimage" / "__init__.py", "raise ImportError")
    put(tmp_path / "skimage" / "data" / "coffee.png", image_bytes(picture()))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "skimage"


def coco(folder: Path) -> None:
    put(folder / "train2017" / "1.jpg", photo("red"))
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [{"image_id": 1, "caption": "A red picture of nothing at all"}],
    }
    put(folder / "annotations" / "captions_train2017.json", json.dumps(content))


def test_treatments(sample: Path) -> None:
    pixels = torch.from_numpy(decode_image(sample.read_bytes()).pixels)

    found = {name: treat(pixels) for name, treat in TREATMENTS.items()}

    assert all(treated.dtype == torch.uint8 for treated in found.values())
    assert {name: tuple(treated.shape) for name, treated in found.items()} == {
        **dict.fromkeys(TREATMENTS, (3, 48, 64)),
        "turned by 90°": (3, 64, 48),
        "tiny": (3, 18, 24),
    }
    corner = pixels[:, 0, 0]
    assert corner.tolist() == [255] * 3
    assert found["dark"][:, 0, 0].tolist() == [38] * 3
    assert found["turned by 90°"][:, -1, 0].tolist() == corner.tolist()
    assert found["turned by 180°"][:, -1, -1].tolist() == corner.tolist()
    assert found["upside down"][:, -1, 0].tolist() == corner.tolist()
    assert torch.equal(found["grey"][0], found["grey"][2])
    assert not torch.equal(found["blurred"], pixels)


def test_predictions_are_those_of_serving(predictor: Predictor, sample: Path) -> None:
    first, dark = ask(predictor, "sample.png", sample, ["dark"])

    caption = predictor.predict("caption", image=sample)
    answer = predictor.predict("vqa", image=sample, question=QUESTION)
    assert isinstance(caption, Caption)
    assert isinstance(answer, Label)
    assert first == Said(
        "sample.png",
        "as it is",
        caption.caption,
        TextOutput().probability(caption),
        answer.label,
        answer.candidates[0].probability,
    )
    assert (dark.picture, dark.treatment) == ("sample.png", "dark")
    assert dark.probability != first.probability


def test_the_first_ones_are_spoilt(
    predictor: Predictor, sample: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "TREATMENTS", {"dark": TREATMENTS["dark"]})
    photos = [
        Example("caption", {"image": data / "flickr8k" / "Flicker8k_Dataset" / f"{name}.jpg"})
        for name in ("train0", "train1", "train2", "train3")
    ]

    found = outside.outside(predictor, {f"{i}.png": sample for i in range(4)}, photos, data)

    counts = {name: sum(s.picture == name for s in found.said) for name in dict.fromkeys(s.picture for s in found.said)}
    assert counts == {"0.png": 2, "1.png": 2, "2.png": 2, "3.png": 1} | {f"train{i}.jpg": 2 for i in range(3)}
    assert found.coco is None


def test_captions_of_coco(predictor: Predictor, tmp_path: Path) -> None:
    coco(tmp_path / "coco_mini")

    found = outside.outside(predictor, {}, [], tmp_path).coco

    assert found is not None
    assert (found.data, found.name, found.count) == ("coco_mini", "BLEU-4", 1)
    assert found.constant_answer == "a red picture of nothing at all"


def test_per_token_is_a_geometric_mean() -> None:
    assert TextOutput().probability(Caption("a dog", -3.0, (Piece("a", 0.9), Piece(" dog", 0.4)))) == pytest.approx(0.6)
    assert TextOutput().probability(Caption("", -3.0, ())) == 0.0


def test_sample_pictures_are_found_without_the_package(package: Path) -> None:
    assert sample_pictures() == {"coffee.png": package / "data" / "coffee.png"}


def test_missing_samples_are_an_error(package: Path) -> None:
    (package / "data" / "coffee.png").unlink()

    with pytest.raises(DataError, match="pip install scikit-image"):
        sample_pictures()


def test_a_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "find_spec", lambda _: None)

    with pytest.raises(DataError, match="pip install scikit-image"):
        sample_pictures()


def test_the_section() -> None:
    said = (Said("cat.png", "dark", "A dog | runs", 0.333, "table", 0.5),)

    text = section(Outside(said, None), "a command")
    assert text.startswith("By `a command`:")
    assert text.splitlines()[-1] == "| cat.png | dark | A dog runs | 0.33 | table | 0.50 |"

    measured = section(Outside(said, Measure("caption", "coco_mini", "BLEU-4", 1.0, 2.0, "a dog", 3)), "a command")
    assert measured.startswith(text)
    assert measured.splitlines()[-1] == "| caption | coco_mini | BLEU-4 | 1.0 | 2.0 | a dog | 3 |"
    assert HEADING not in measured
