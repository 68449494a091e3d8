"""COCO captions, 2017 (Lin et al. 2014): photos with five captions each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from training.data.base import DataError, DataSet, Example, read_text

SPLITS = {"train": "train2017", "dev": "val2017"}


class Coco(DataSet):
    """``annotations/captions_<split>.json`` beside the folder of the split's photos."""

    task = "caption"
    source = "https://cocodataset.org/#download"
    layout = "train2017/*.jpg, val2017/*.jpg, annotations/captions_train2017.json and captions_val2017.json"

    def read(self, split: str) -> Sequence[Example]:
        """One example a photo, with all of its captions, in the order of the file."""
        name = SPLITS[split]
        path = self.existing(f"annotations/captions_{name}.json")
        photos = self.existing(name)
        try:
            content = json.loads(read_text(path))
            captions = defaultdict(list)
            for annotation in content["annotations"]:
                captions[annotation["image_id"]].append(str(annotation["caption"]).strip())
            files = {image["id"]: image["file_name"] for image in content["images"]}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no COCO caption file: {error!r}") from error
        return [
            Example(self.task, photos / file, answer=captions[i][0], captions=tuple(captions[i]))
            for i, file in files.items()
            if captions[i]
        ]
