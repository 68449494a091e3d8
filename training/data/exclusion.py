"""Photos that training must not use, such as those of dev and test sets, by file name and by perceptual hash."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.training.data.base import DataError

HASH = re.compile("[0-9a-f]{16}")
MOST_BITS = 4  # maximum Hamming distance between the hashes of two copies of a photo


class Exclusion:
    """A set of photos, given by file names without folder and extension, and by 64-bit perceptual hashes."""

    def __init__(self, names: Iterable[str] = (), hashes: Iterable[int] = ()) -> None:
        self.names = frozenset(names)
        self.hashes = np.unique(np.fromiter(hashes, dtype=np.uint64))

    @classmethod
    def read(cls, path: Path) -> Exclusion:
        """Read a list with one photo per line: name, hash as 16 hexadecimal digits, or both separated by a tab.

        Further columns and lines that begin with ``#`` are comments.

        Raises:
            DataError: the file cannot be read as text.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read as a list of photo names and hashes: {error}") from error
        parts = [part for line in lines if not line.startswith("#") for part in line.split("\t")[:2] if part]
        names = [Path(part).stem for part in parts if not HASH.fullmatch(part)]
        return cls(names, [int(part, 16) for part in parts if HASH.fullmatch(part)])

    @classmethod
    def of_photos(cls, paths: Iterable[Path]) -> Exclusion:
        """Take the hashes of photos, but not their names, since some sets number their files anew in every folder."""
        return cls(hashes=[photo_hash for path in paths if (photo_hash := hash_of_file(path)) is not None])

    def __or__(self, other: Exclusion) -> Exclusion:
        """Return the union of two sets."""
        return Exclusion(self.names | other.names, [*self.hashes.tolist(), *other.hashes.tolist()])

    def holds(self, name: str, photo_hash: int) -> bool:
        """Return whether a photo, or a near copy of it, is in the set."""
        if Path(name).stem in self.names:
            return True
        return self.nearest(photo_hash) is not None

    def nearest(self, photo_hash: int) -> int | None:
        """Return the most similar hash of the set; None if all differ in more than MOST_BITS bits."""
        if not len(self.hashes):
            return None
        apart = np.bitwise_count(self.hashes ^ np.uint64(photo_hash))
        nearest = int(apart.argmin())
        return int(self.hashes[nearest]) if apart[nearest] <= MOST_BITS else None


def perceptual_hash(image: Image.Image) -> int:
    """Return the 64-bit difference hash (dHash) of a photo.

    Each bit tells whether one of 9 x 8 grey cells is darker than the next on its right. The hash hardly changes when
    a photo is scaled or encoded again.
    """
    cells = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(cells[:, :-1] < cells[:, 1:])
    return int.from_bytes(bits.tobytes(), "big")


def hash_of_file(path: Path) -> int | None:
    """Return the perceptual hash of a photo on disk; None if it cannot be read."""
    try:
        pixels = decode_image(path.read_bytes()).pixels
    except (InputError, OSError):
        return None
    return perceptual_hash(Image.fromarray(pixels.transpose(1, 2, 0)))
