"""German captions of Flickr8k's photos, from Multi30k (Elliott et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.data.base import DataError, DataSet, Example, read_text
from omninet.training.data.photo_folders import FLICKR8K

FILES = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
LIST = "Flickr_8k.{split}Images.txt"


class Multi30kCaptions(DataSet):
    """``<split>_images.txt`` names the Flickr30k photo of each line of ``<split>.de``.

    A split has the lines of that split of Multi30k whose photo is in that split of Flickr8k, where names are longer:
    ``1000268201_693b08cb0e.jpg`` is Flickr30k's ``1000268201.jpg``. Each photo has one caption.
    """

    task = "german_caption"
    source = "https://github.com/multi30k/dataset (photos: Flickr8k)"
    layout = "train.de, train_images.txt, val.de, val_images.txt, and Flickr8k's photos and lists in ../flickr8k"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per line with a photo.

        Raises:
            DataError: the files have different numbers of lines.
        """
        captions, names = (self.existing(f"{FILES[split]}{end}") for end in (".de", "_images.txt"))
        texts, ids = (read_text(path).removesuffix("\n").split("\n") for path in (captions, names))
        if len(texts) != len(ids):
            raise DataError(f"{captions} has {len(texts)} lines and {names} has {len(ids)}, not as many")
        photos = self.existing(*FLICKR8K)
        chosen = LIST.format(split=split)
        files = read_text(self.existing(chosen, f"../flickr8k/{chosen}")).split()
        of_id = {f"{name.partition('_')[0].removesuffix('.jpg')}.jpg": photos / name for name in files}
        return [
            Example(self.task, {"image": of_id[photo]}, text.strip(), captions=(text.strip(),))
            for text, photo in zip(texts, ids, strict=True)
            if photo in of_id
        ]
