"""Data sets of recordings with what is said in them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from omninet.model.modalities.audio.modality import Joined
from omninet.training.data.base import DataError, DataSet, Example, read_text

DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
STRINGS = 600  # joined recordings among the training examples of FSDD
NOISES = 200  # training examples of noise alone, in which nothing is said
LENGTHS = (2, 7)  # fewest and most recordings that are joined
HELD_LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}


class An4(DataSet):
    """AN4 (Acero 1990): spelled names and numbers; ``<split>.tsv`` has a file in ``wav`` and its words."""

    task = "transcribe"
    source = "http://www.speech.cs.cmu.edu/databases/an4/"
    layout = "wav/<speaker>/*.ogg, train.tsv, dev.tsv (test.tsv)"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line."""
        path, folder = self.existing(f"{split}.tsv"), self.existing("wav")
        found = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            name, tab, words = line.partition("\t")
            if not tab or not words.strip():
                raise DataError(f"{path}:{number} must be a file, a tab and its words, not {line[:60]!r}")
            found.append(_spoken(_inside(folder, name, path, number), words))
        return found


class Fsdd(DataSet):
    """Free Spoken Digit Dataset (Jackson 2016): single digits; their texts are words.

    ``<split>.txt`` lists recordings ``<digit>_<speaker>_<number>.<ending>``. In training, recordings of one speaker are
    also joined to strings of digits, and there is noise, in which nothing is said.
    """

    task = "transcribe"
    source = "https://github.com/Jakobovski/free-spoken-digit-dataset"
    layout = "recordings/<digit>_<speaker>_<number>.*, train.txt, dev.txt (test.txt)"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per recording, and for ``train`` strings of several as well."""
        path, folder = self.existing(f"{split}.txt"), self.existing("recordings")
        found, by_speaker = list[Example](), defaultdict[str, list[Example]](list)
        for number, line in enumerate(read_text(path).splitlines(), 1):
            parts = PurePosixPath(line.strip()).stem.split("_")
            if len(parts) != 3 or parts[0] not in set("0123456789"):
                raise DataError(f"{path}:{number} must be <digit>_<speaker>_<number>.<ending>, not {line[:60]!r}")
            found.append(_spoken(_inside(folder, line.strip(), path, number), DIGITS[int(parts[0])]))
            by_speaker[parts[1]].append(found[-1])
        if split != "train":
            return found
        return [*found, *strings_of(by_speaker, STRINGS), *[_spoken(Joined(()), "")] * NOISES]


class LibriSpeech(DataSet):
    """LibriSpeech (Panayotov et al. 2015), read books; not run on the real files.

    ``<set>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`` has a file's name and its words on each line.
    """

    task = "transcribe"
    source = "https://www.openslr.org/12"
    layout = "train-clean-100 (any train-*), dev-clean, test-clean, each <speaker>/<chapter>/*.flac and *.trans.txt"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per recording, of all sets of training; of the clean ones to measure."""
        sets = sorted(self.folder.glob("train-*")) if split == "train" else [self.existing(f"{split}-clean")]
        lists = [path for folder in sets for path in sorted(folder.glob("*/*/*.trans.txt"))]
        if not lists:
            self.existing("train-clean-100" if split == "train" else f"{split}-clean/*/*/*.trans.txt")
        found = []
        for path in lists:
            for number, line in enumerate(read_text(path).splitlines(), 1):
                name, _, words = line.partition(" ")
                if not words.strip():
                    raise DataError(f"{path}:{number} must be a name and its words, not {line[:60]!r}")
                found.append(_spoken(_inside(path.parent, f"{name}.flac", path, number), words))
        return found


class SpeechCommands(DataSet):
    """Speech Commands (Warden 2018), single words; not run on the real files.

    A folder for each word; two lists name the recordings of dev and test, the others are for training.
    """

    task = "transcribe"
    source = "https://www.tensorflow.org/datasets/catalog/speech_commands"
    layout = "<word>/*.wav, validation_list.txt, testing_list.txt"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per recording; folders that begin with an underscore hold noise and are left out."""
        lists = {name: self.existing(file) for name, file in HELD_LISTS.items()}
        named = {name: read_text(path).split() for name, path in lists.items()}
        if split != "train":
            return [self._example(name) for name in named[split]]
        held = {name for names in named.values() for name in names}
        every = (path.relative_to(self.folder).as_posix() for path in sorted(self.folder.glob("[!_]*/*.wav")))
        return [self._example(name) for name in every if name not in held]

    def _example(self, name: str) -> Example:
        return _spoken(_inside(self.folder, name, self.folder, 0), PurePosixPath(name).parts[0].upper())


def strings_of(by_speaker: Mapping[str, Sequence[Example]], count: int) -> list[Example]:
    """Return random strings of recordings, each of one speaker, drawn with a fixed seed."""
    draw, speakers = random.Random(0), sorted(by_speaker)
    found = []
    for _ in range(count if speakers else 0):
        parts = draw.choices(by_speaker[draw.choice(speakers)], k=draw.randint(*LENGTHS))
        joined = Joined(tuple(part.inputs["audio"] for part in parts))
        found.append(_spoken(joined, " ".join(part.answer for part in parts)))
    return found


def _spoken(path: Path | Joined, words: str) -> Example:
    return Example("transcribe", {"audio": path}, " ".join(words.split()))


def _inside(folder: Path, name: str, path: Path, number: int) -> Path:
    """Return a file in a folder by the name that a list gives it.

    Raises:
        DataError: the name leads out of the folder.
    """
    if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        raise DataError(f"{path}:{number} names a file outside of {folder}: {name[:60]!r}")
    return folder / name
