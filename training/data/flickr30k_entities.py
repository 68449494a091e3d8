"""Flickr30k Entities (Plummer et al. 2015): the phrases of captions with boxes in the photo."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from omninet.model.outputs.boxes.metrics import Box
from omninet.training.data.base import DataSet, Example, read_text
from omninet.training.data.boxes import box_of_pixels
from omninet.training.data.json_files import malformed
from omninet.training.data.photo_folders import FLICKR30K

PHRASE = re.compile(r"\[/EN#(\d+)\S* ([^\]]+)\]")  # [/EN#<chain>/<type> <words>]
LISTS = {"train": "train.txt", "dev": "val.txt", "test": "test.txt"}


class Flickr30kEntities(DataSet):
    """``Sentences/<photo>.txt`` marks phrases, ``Annotations/<photo>.xml`` has boxes; not run on the real files.

    ``train.txt``, ``val.txt`` and ``test.txt`` list the photos of a split. Phrases without a box are left out.
    """

    task = "ground"
    source = "https://github.com/BryanPlummer/flickr30k_entities (photos: Flickr30k)"
    layout = "Annotations/*.xml, Sentences/*.txt, train.txt, val.txt, test.txt and flickr30k_images/*.jpg"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per phrase of a caption; ``truth`` is a tuple of all boxes of its thing."""
        names = read_text(self.existing(LISTS[split])).split()
        photos = self.existing(*FLICKR30K)
        return [
            Example(self.task, {"image": photos / f"{name}.jpg", "phrase": phrase}, image_id=name, truth=boxes[chain])
            for name in names
            for boxes in [_boxes(self.existing(f"Annotations/{name}.xml"))]
            for chain, phrase in PHRASE.findall(read_text(self.existing(f"Sentences/{name}.txt")))
            if chain in boxes
        ]


def _boxes(path: Path) -> Mapping[str, tuple[Box, ...]]:
    """Return chain of mentions -> boxes."""
    found: dict[str, list[Box]] = defaultdict(list)
    with malformed(path, "annotation of Flickr30k Entities"):
        root = ElementTree.fromstring(path.read_bytes())
        size = [float(root.findtext(f"size/{side}", "")) for side in ("width", "height")]
        for thing in root.iter("object"):
            for box in thing.iter("bndbox"):
                x1, y1, x2, y2 = (float(box.findtext(name, "")) for name in ("xmin", "ymin", "xmax", "ymax"))
                for name in thing.findall("name"):
                    # Pixels are counted from 1, and the last one belongs to the box.
                    found[name.text or ""].append(box_of_pixels((x1 - 1, y1 - 1, x2, y2), size))
    return {chain: tuple(boxes) for chain, boxes in found.items()}
