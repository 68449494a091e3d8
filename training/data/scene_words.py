"""Cropped pictures of words on signs and in streets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from omninet.training.data.base import DataError, DataSet, Example, read_text
from omninet.training.data.json_files import malformed


class SceneWords(DataSet):
    """Word pictures in the layout of ICDAR's robust reading: lines ``path, "word"``; a subclass says which.

    Attributes:
        lists: split -> possible names of its list.
    """

    task = "read_word"
    lists: ClassVar[dict[str, tuple[str, ...]]]

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line."""
        path = self.existing(*self.lists[split])
        found = []
        for number, line in enumerate(read_text(path).removeprefix("\ufeff").splitlines(), 1):
            if not line.strip():
                continue
            name, comma, quoted = line.partition(",")
            word, file = quoted.strip(), PurePosixPath(name.strip())
            if not comma or len(word) < 3 or word[0] + word[-1] != '""' or ".." in file.parts or file.is_absolute():
                raise DataError(f'{path}:{number} must be path, "word", not {line[:60]!r}')
            text = word[1:-1].replace('\\"', '"')
            found.append(Example(self.task, {"image": path.parent / file}, text))
        return found


class Icdar2015Words(SceneWords):
    """ICDAR 2015, incidental scene text (Karatzas et al. 2015)."""

    source = "https://rrc.cvc.uab.es/?ch=4"
    layout = "icdar2015_train.txt, icdar2015_dev.txt, or train/gt.txt and test/gt.txt beside the pictures"
    lists: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": ("icdar2015_train.txt", "train/gt.txt"),
        "dev": ("icdar2015_dev.txt", "dev/gt.txt"),
        "test": ("icdar2015_test.txt", "test/gt.txt"),
    }


class Iiit5kWords(SceneWords):
    """IIIT 5K-word (Mishra, Alahari, Jawahar 2012), signs and posters; its own lists are files of MATLAB."""

    source = "https://cvit.iiit.ac.in/research/projects/cvit-projects/the-iiit-5k-word-dataset"
    layout = "iiit5k_train.txt and iiit5k_dev.txt (iiit5k_test.txt), or traindata.mat and testdata.mat"
    lists: ClassVar[dict[str, tuple[str, ...]]] = {
        split: (f"iiit5k_{split}.txt", f"{split}data.mat") for split in ("train", "dev", "test")
    }

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per word of the list."""
        path = self.existing(*self.lists[split])
        return self._of_matlab(path) if path.suffix == ".mat" else super().examples(split)

    def _of_matlab(self, path: Path) -> list[Example]:
        """Read a list of structures with the fields ``ImgName`` and ``GroundTruth``, named as its file is."""
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        with malformed(path, "list of IIIT 5K-word"):
            try:
                words = loadmat(path, variable_names=[path.stem], simplify_cells=True)[path.stem]
            except MatReadError as error:
                raise ValueError(str(error)) from error
            return [
                Example(self.task, {"image": path.parent / _inside(word["ImgName"])}, str(word["GroundTruth"]))
                for word in words
            ]


def _inside(name: str) -> PurePosixPath:
    """Return the path of a picture in the folder of its list.

    Raises:
        ValueError: it leads out of the folder.
    """
    file = PurePosixPath(name)
    if ".." in file.parts or file.is_absolute():
        raise ValueError(f"{name} leads out of its folder")
    return file
