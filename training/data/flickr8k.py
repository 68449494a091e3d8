"""Flickr8k (Hodosh, Young, Hockenmaier 2013): photos with five captions each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from omninet.training.data.base import DataError, DataSet, Example, read_text


class Flickr8k(DataSet):
    """``Flickr8k.token.txt`` holds ``name.jpg#k<TAB>caption``; each split has a list of file names."""

    task = "caption"
    source = "https://hockenmaier.cs.illinois.edu/8k-pictures.html"
    layout = "Flicker8k_Dataset/*.jpg, Flickr8k.token.txt, Flickr_8k.trainImages.txt and Flickr_8k.devImages.txt"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo, with all of its captions."""
        captions = self._captions()
        photos = self.existing("Flicker8k_Dataset")
        names = read_text(self.existing(f"Flickr_8k.{split}Images.txt")).split()
        examples = []
        for name in names:
            if name not in captions:
                raise DataError(f"{self.folder / 'Flickr8k.token.txt'} has no caption for {name}")
            examples.append(
                Example(self.task, {"image": photos / name}, captions[name][0], captions=tuple(captions[name]))
            )
        return examples

    def _captions(self) -> dict[str, list[str]]:
        path = self.existing("Flickr8k.token.txt")
        captions = defaultdict(list)
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            key, tab, caption = line.partition("\t")
            if not tab or "#" not in key:
                raise DataError(f"{path}:{number} is not 'name.jpg#k<TAB>caption': {line[:60]!r}")
            captions[key.rpartition("#")[0]].append(caption.strip())
        return captions
