"""The first photos of a dev list, on a page."""

from __future__ import annotations

from pathlib import Path

from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.gallery import COUNT, gallery, write_gallery


def test_the_first_photos_and_no_others(predictor: Predictor, data: Path) -> None:
    folder = data / "flickr8k" / "Flicker8k_Dataset"
    photos = [
        Example("caption", {"image": folder / f"dev{i % 2}.jpg"}, captions=("its own caption",))
        for i in range(COUNT + 3)
    ]

    page = gallery(predictor, photos, "a command")

    table = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")][2:]
    assert [row[0] for row in table] == [str(i + 1) for i in range(COUNT)]
    assert [row[1] for row in table[:3]] == ["dev0.jpg", "dev1.jpg", "dev0.jpg"]
    answer = predictor.predict("caption", image=folder / "dev0.jpg")
    assert isinstance(answer, Caption)
    assert table[0][2] == " ".join(answer.caption.split())
    assert "its own caption" not in page
    assert "    a command" in page
    assert predictor.digest[:12] in page
    assert "the first 20 photos" in page.lower()


def test_the_folder_is_made(tmp_path: Path) -> None:
    write_gallery(tmp_path / "some" / "gallery.md", "# Page\n")

    assert (tmp_path / "some" / "gallery.md").read_text() == "# Page\n"
