"""Street View Text (Wang, Belongie 2010): shop signs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Tree

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data.base import DataError, read_text
from omninet.training.data.json_files import malformed
from omninet.training.data.scene_photos import ScenePhotos, corners_of

KIND = "list of Street View Text"


class StreetViewText(ScenePhotos):
    """Photos of streets, of whose words only some are listed."""

    source = "https://tc11.cvc.uab.es/datasets/SVT_1"
    layout = "train.xml, test.xml and img/*.jpg"

    def photos(self, split: str) -> Iterator[tuple[Path, tuple[WrittenWord, ...]]]:
        """Yield each photo of a list."""
        path = self.existing(f"{split}.xml")
        try:
            root = Tree.fromstring(read_text(path).removeprefix("\ufeff"))
        except Tree.ParseError as error:
            raise DataError(f"{path} is no {KIND}: {error}") from error
        with malformed(path, KIND):
            for image in root.iter("image"):
                words = tuple(map(_word, image.iter("taggedRectangle")))
                yield self.folder / str(image.findtext("imageName")), words


def _word(box: Tree.Element) -> WrittenWord:
    left, top, wide, high = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
    return WrittenWord(corners_of((left, top, left + wide, top + high)), box.findtext("tag"))
