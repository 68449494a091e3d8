"""COCO captions, 2014 and 2017 (Lin et al. 2014): photos with five captions each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from omninet.training.data.base import DataError, DataSet, Example, read_text

FOLDERS = {"train": "train", "dev": "val"}
YEARS = (2017, 2014)


class Coco(DataSet):
    """``annotations/captions_<split><year>.json``, and a folder with the photos of each split."""

    task = "caption"
    source = "https://cocodataset.org/#download"
    layout = (
        "train2017/*.jpg, val2017/*.jpg, annotations/captions_train2017.json and captions_val2017.json, "
        "or the same of 2014"
    )
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo, with all of its captions, in the order of the file."""
        name = f"{FOLDERS[split]}{self._year()}"
        path = self.existing(f"annotations/captions_{name}.json")
        photos = self.existing(name, f"images/{name}")
        try:
            content = json.loads(read_text(path))
            captions = defaultdict(list)
            for annotation in content["annotations"]:
                captions[annotation["image_id"]].append(str(annotation["caption"]).strip())
            files = {image["id"]: image["file_name"] for image in content["images"]}
            return [
                Example(
                    self.task, {"image": photos / file}, captions[i][0], captions=tuple(captions[i]), image_id=str(i)
                )
                for i, file in files.items()
                if captions[i]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no COCO caption file: {error!r}") from error

    def _year(self) -> int:
        """Return the year for both splits; they must not be mixed, since train2017 contains photos of val2014."""
        for year in YEARS:
            if any(self.folder.glob(f"annotations/captions_*{year}.json")):
                return year
        return YEARS[0]
