"""Photos with one class each: a folder for each class, and the layout of ILSVRC 2012."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omninet.training.data.base import DataError, DataSet, Example, read_text

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
FOLDERS = {"train": ("train",), "dev": ("val", "dev", "valid"), "test": ("test",)}


class ClassFolders(DataSet):
    """``<split>/<class>/*``: a folder for each class, as torchvision's ImageFolder reads it."""

    task = "imagenet"
    source = "your own photos"
    layout = "train/<class>/*.jpg and val/<class>/*.jpg (test/<class>/*.jpg)"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo; underscores in class names become spaces."""
        folder = self.existing(*FOLDERS[split])
        return [
            Example(self.task, {"image": photo}, of_class.name.replace("_", " "))
            for of_class in sorted(path for path in folder.iterdir() if path.is_dir())
            for photo in photos_in(of_class)
        ]


class Ilsvrc2012(DataSet):
    """ImageNet's classification challenge of 2012 (Russakovsky et al. 2015); not run on the real files.

    ``synset_words.txt`` and ``val.txt`` are the lists that Caffe publishes: the names of the classes in the order of
    their numbers, and the class number of each photo of ``val``.
    """

    task = "imagenet"
    source = "https://image-net.org/challenges/LSVRC/2012/"
    layout = "train/<synset>/*.JPEG, val/*.JPEG, val.txt and synset_words.txt"
    splits = ("train", "dev")

    def classes(self) -> Sequence[str]:
        """Return the first name of each class, in the order of their numbers; equal names are told apart by number."""
        names = [words.split(",")[0].strip() for _, words in self._synsets()]
        return [f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names)]

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo."""
        if split == "dev":
            return self._listed()
        folder, named = self.existing("train"), dict(zip(self._numbers(), self.classes(), strict=True))
        return [
            Example(self.task, {"image": photo}, name)
            for synset, name in named.items()
            for photo in photos_in(folder / synset)
        ]

    def _listed(self) -> list[Example]:
        path, folder, names = self.existing("val.txt"), self.existing("val"), self.classes()
        found = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            file, _, label = line.strip().partition(" ")
            if not label.isdigit() or int(label) >= len(names) or "/" in file:
                raise DataError(f"{path}:{number} must be a photo and its class below {len(names)}, not {line[:60]!r}")
            found.append(Example(self.task, {"image": folder / file}, names[int(label)]))
        return found

    def _numbers(self) -> list[str]:
        return [synset for synset, _ in self._synsets()]

    def _synsets(self) -> list[tuple[str, str]]:
        path = self.existing("synset_words.txt")
        pairs = [line.partition(" ") for line in read_text(path).splitlines() if line.strip()]
        if wrong := next((synset for synset, _, words in pairs if not words.strip()), ""):
            raise DataError(f"{path}: synset {wrong[:60]!r} has no name")
        return [(synset, words) for synset, _, words in pairs]


def photos_in(folder: Path) -> list[Path]:
    """Return the photos in a folder, by name; none if it does not exist."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)
