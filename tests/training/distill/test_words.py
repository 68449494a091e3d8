"""Words of captions as targets of a distillation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from omninet.training.data import DataError
from omninet.training.distill.pack import PackedPhoto
from omninet.training.distill.words import CaptionWords
from tests.training.conftest import put
from tests.training.distill.conftest import MakeFit, make_config

DATASETS = {"flickr8k": "flickr8k"}


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Two photos of Flickr8k with two captions each."""
    folder = tmp_path / "flickr8k"
    for name in ("a", "b"):
        put(folder / "Flicker8k_Dataset" / f"{name}.jpg", b"")
    said = ("a.jpg#0\tA dog runs .", "a.jpg#1\tA dog and a cat .", "b.jpg#0\tThe cat sits .", "b.jpg#1\tThe Cat .")
    put(folder / "Flickr8k.token.txt", "\n".join(said))
    put(folder / "Flickr_8k.trainImages.txt", "a.jpg\nb.jpg\n")
    return tmp_path


def photo(collection: str, name: str) -> PackedPhoto:
    return PackedPhoto(collection, name, "", "")


def read(data: Path | None, least: int = 2) -> CaptionWords:
    config = make_config(datasets=DATASETS, words={"least": least, "weight": 2.0})
    photos = (photo("flickr8k", "b.jpg"), photo("more", "a.jpg"), photo("flickr8k", "a.jpg"))
    found = CaptionWords.read(config, data, photos)
    assert found is not None
    return found


def test_shares_of_frequent_words_without_function_words(captioned: Path) -> None:
    found = read(captioned)

    assert found.words == ("cat", "dog")  # "runs" and "sits" are in one caption each
    torch.testing.assert_close(found.shares, torch.tensor([[1, 0], [0, 0], [1 / 3, 2 / 3]]))


def test_the_loss_is_the_divergence_of_photos_with_captions(captioned: Path) -> None:
    found = read(captioned)
    right = (found.shares + 1e-9).log()

    assert float(found.loss(right, torch.arange(3))) == pytest.approx(0, abs=1e-5)
    wrong = found.loss(torch.zeros(1, 2), torch.tensor([0]))
    assert float(wrong) == pytest.approx(2.0 * torch.tensor(2.0).log().item())
    # The photo without captions changes nothing, and a batch of such photos has no loss.
    assert float(found.loss(torch.zeros(2, 2), torch.tensor([0, 1]))) == pytest.approx(float(wrong))
    assert float(found.loss(torch.zeros(1, 2), torch.tensor([1]))) == 0


def test_without_captions_it_is_refused(captioned: Path) -> None:
    with pytest.raises(DataError, match="name the folder of the data sets with --data"):
        read(None)
    with pytest.raises(DataError, match="no word is in 9 captions"):
        read(captioned, least=9)
    assert CaptionWords.read(make_config(datasets=DATASETS), captioned, ()) is None


def test_a_student_learns_words(make_fit: MakeFit, tmp_path: Path) -> None:
    words = CaptionWords(("round", "square"), torch.eye(2).repeat(6, 1), weight=1.0)
    fit = make_fit(make_config(steps=60, batch=8, average=0.0), tmp_path / "run", words)
    assert fit.student.words is not None
    photos = torch.arange(10)

    for _ in range(60):
        fit.advance(photos)

    seen = fit.student.eval()(fit.loader(photos * fit.loader.kinds).float() / 255).words
    assert seen is not None
    assert (seen.argmax(1) == photos % 2).float().mean() > 0.8
