"""Photos that a distillation must not see: those of dev and test sets, by name and by what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.training.data import DataError

HASH = re.compile("[0-9a-f]{16}")
MOST_BITS = 4  # in which the hashes of two copies of a photo may differ


class Exclusion:
    """Names of photos, without folder and ending, and 64-bit hashes of what photos look like."""

    def __init__(self, names: Iterable[str] = (), hashes: Iterable[int] = ()) -> None:
        self.names = frozenset(names)
        self.hashes = np.unique(np.fromiter(hashes, dtype=np.uint64))

    @classmethod
    def read(cls, path: Path) -> Exclusion:
        """Read a list with a photo a line: its name, or its hash as 16 hexadecimal digits, or both with a tab between.

        What follows another tab, and a line that begins with ``#``, is a comment.

        Raises:
            DataError: it is no text file.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no list of photos' names and hashes: {error}") from error
        parts = [part for line in lines if not line.startswith("#") for part in line.split("\t")[:2] if part]
        names = [Path(part).stem for part in parts if not HASH.fullmatch(part)]
        return cls(names, [int(part, 16) for part in parts if HASH.fullmatch(part)])

    @classmethod
    def of_photos(cls, paths: Iterable[Path]) -> Exclusion:
        """Take the hashes of photos, but not their names, which are counted anew in every folder of some sets."""
        return cls(hashes=[look for path in paths if (look := _look_of(path)) is not None])

    def __or__(self, other: Exclusion) -> Exclusion:
        """Both together."""
        return Exclusion(self.names | other.names, [*self.hashes.tolist(), *other.hashes.tolist()])

    def holds(self, name: str, look: int) -> bool:
        """Return whether a photo is one of these, or a copy of one."""
        if Path(name).stem in self.names:
            return True
        apart = np.bitwise_count(self.hashes ^ np.uint64(look))
        return bool((apart <= MOST_BITS).any())


def perceptual_hash(image: Image.Image) -> int:
    """64 bits, each telling whether one cell of 9 x 8 grey ones is darker than the next to its right (dHash).

    The photo is squashed to these cells, so that a copy that was scaled or encoded again has nearly the same bits.
    """
    cells = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(cells[:, :-1] < cells[:, 1:])
    return int.from_bytes(bits.tobytes(), "big")


def _look_of(path: Path) -> int | None:
    try:
        pixels = decode_image(path.read_bytes()).pixels
    except (InputError, OSError):
        return None
    return perceptual_hash(Image.fromarray(pixels.transpose(1, 2, 0)))
