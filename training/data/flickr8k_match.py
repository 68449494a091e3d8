"""Whether a sentence describes a photo of Flickr8k: pairs of the CMP9137 course's image-text matching data."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.data.base import DataSet, Example, read_text
from omninet.training.data.json_files import malformed, one_of, text_of
from omninet.training.data.photo_folders import FLICKR8K

LABELS = ("match", "no-match")


class Flickr8kMatch(DataSet):
    """``flickr8k.<Split>Images.txt`` holds ``name.jpg<TAB>sentence<TAB>match|no-match`` in each line.

    The photos may lie in the folder ``flickr8k`` beside this one.
    """

    task = "match"
    source = "https://github.com/RlNZLER/Image-Text-Matching (photos: Flickr8k)"
    layout = (
        "flickr8k.TrainImages.txt, flickr8k.DevImages.txt (flickr8k.TestImages.txt) and Flicker8k_Dataset/*.jpg, "
        "or the photos in ../flickr8k"
    )

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per pair, in the order of the file."""
        path = self.existing(f"flickr8k.{split.capitalize()}Images.txt")
        photos = self.existing(*FLICKR8K)
        examples = []
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if not line.strip():
                continue
            with malformed(f"{path}:{number}", f"line 'name.jpg<TAB>sentence<TAB>{'|'.join(LABELS)}'"):
                name, sentence, label = line.rstrip("\r").split("\t")
                inputs = {"image": photos / text_of(name), "text": text_of(sentence)}
                examples.append(Example(self.task, inputs, one_of(label.strip(), LABELS)))
        return examples
