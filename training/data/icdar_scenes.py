"""Photos of scenes with a file of words for each, in the layouts of ICDAR's robust reading competitions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data.base import DataError, read_text
from omninet.training.data.scene_photos import ScenePhotos, corners_of, readable

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".JPG")


class WordFiles(ScenePhotos):
    """Photos with a file of words for each; a subclass says where.

    Attributes:
        folders: split -> possible folders of the photos and of their words.
        prefix: beginning of the name of a file of words, before that of its photo.
    """

    folders: ClassVar[dict[str, tuple[tuple[str, str], ...]]]
    prefix: ClassVar[str] = "gt_"

    def photos(self, split: str) -> Iterator[tuple[Path, tuple[WrittenWord, ...]]]:
        """Yield the photo of each file of words."""
        files = self.existing(*(words for _, words in self.folders[split]))
        photos = next(self.folder / photos for photos, words in self.folders[split] if self.folder / words == files)
        for path in sorted(files.glob(f"{self.prefix}*.txt"), key=lambda path: (len(path.name), path.name)):
            yield _photo(photos, path.stem.removeprefix(self.prefix)), self.words(path)

    def words(self, path: Path) -> tuple[WrittenWord, ...]:
        """Read a file of words."""
        lines = enumerate(read_text(path).removeprefix("\ufeff").splitlines(), 1)
        return tuple(_of_line(line, f"{path}:{number}") for number, line in lines if line.strip())


def _photo(folder: Path, name: str) -> Path:
    found = next((path for ending in ENDINGS if (path := folder / f"{name}{ending}").exists()), None)
    if found is None:
        raise DataError(f"{folder} lacks the photo {name}, as .jpg or .png")
    return found


def _of_line(line: str, where: str) -> WrittenWord:
    """Read eight or four numbers and a word; four are left, top, right, bottom."""
    parts = line.split(",")
    if len(parts) < 5:  # ICDAR 2013's training files have spaces
        parts = line.split(maxsplit=4)
    for count in (8, 4):
        try:
            numbers = [float(part) for part in parts[:count]]
        except ValueError:
            continue
        if len(numbers) == count and len(parts) > count:
            return WrittenWord(corners_of(numbers), readable(",".join(parts[count:])))
    raise DataError(f"{where} must be x1,y1,x2,y2,x3,y3,x4,y4,word or left,top,right,bottom,word, not {line[:60]!r}")


class Icdar2015Scenes(WordFiles):
    """ICDAR 2015, incidental scene text (Karatzas et al. 2015)."""

    source = "https://rrc.cvc.uab.es/?ch=4"
    layout = "train/Imgs and train/Gts (dev, test), or the folders ch4_training_images, ch4_training_..._gt of ICDAR"
    folders: ClassVar = {
        "train": (
            ("train/Imgs", "train/Gts"),
            ("ch4_training_images", "ch4_training_localization_transcription_gt"),
        ),
        "dev": (("dev/Imgs", "dev/Gts"),),
        "test": (("test/Imgs", "test/Gts"), ("ch4_test_images", "Challenge4_Test_Task4_GT")),
    }

    @property
    def has_dev(self) -> bool:  # type: ignore[override]
        """Whether there is a folder of dev words; ICDAR publishes none."""
        return (self.folder / "dev" / "Gts").is_dir()


class Icdar2013Scenes(WordFiles):
    """ICDAR 2013, focused scene text (Karatzas et al. 2013)."""

    source = "https://rrc.cvc.uab.es/?ch=2"
    layout = "Challenge2_Training_Task12_Images and Challenge2_Training_Task1_GT (Test), as ICDAR names them"
    folders: ClassVar = {
        split: ((f"Challenge2_{name}_Task12_Images", f"Challenge2_{name}_Task1_GT"),)
        for split, name in (("train", "Training"), ("test", "Test"))
    }


class TotalText(WordFiles):
    """Total-Text (Ch'ng, Chan 2017), with curved words."""

    source = "https://github.com/cs-chan/Total-Text-Dataset"
    layout = "Images/Train and Groundtruth/Polygon/Train (Test)"
    prefix = "poly_gt_"
    folders: ClassVar = {
        split: ((f"Images/{split.title()}", f"Groundtruth/Polygon/{split.title()}"),) for split in ("train", "test")
    }

    def words(self, path: Path) -> tuple[WrittenWord, ...]:
        """Read entries such as ``x: [[20 25 38]], y: [[63 81 93]], ornt: [u'c'], transcriptions: [u'PETROSAINS']``."""
        found = []
        for entry in read_text(path).split("x: [[")[1:]:
            xs, _, rest = entry.partition("]], y: [[")
            ys, _, rest = rest.partition("]]")
            quoted = rest.partition("transcriptions: [")[2].strip().removeprefix("u").removesuffix("]").strip()
            try:
                corners = tuple((float(x), float(y)) for x, y in zip(xs.split(), ys.split(), strict=True))
            except ValueError:
                raise DataError(f"{path} must have as many numbers in x as in y: {entry[:60]!r}") from None
            found.append(WrittenWord(corners, readable(quoted[1:-1])))
        return tuple(found)
