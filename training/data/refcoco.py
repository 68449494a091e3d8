"""RefCOCO, RefCOCO+ (Yu et al. 2016) and RefCOCOg (Mao et al. 2016): phrases for one thing of a COCO photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from omninet.training.data.base import DataSet, Example
from omninet.training.data.boxes import box_of_sides
from omninet.training.data.json_files import malformed, read_json, text_of
from omninet.training.data.photo_folders import coco_folders
from omninet.training.data.pickles import read_pickle

PARTS = {"train": ("train",), "dev": ("val",), "test": ("test", "testA", "testB"), "testA": ("testA",)}
PARTS["testB"] = ("testB",)
KIND = "file of RefCOCO"


class Refcoco(DataSet):
    """``refs(unc).p`` has the phrases, ``instances.json`` the boxes; not run on the real files.

    The test split is testA (people) and testB (other things) together. The pickle is read without running its code.
    """

    task = "ground"
    source = "https://github.com/lichengunc/refer (photos: https://cocodataset.org/#download)"
    layout = "refs(unc).p, instances.json and train2014/COCO_train2014_*.jpg, or the photos in ../coco/train2014"
    splits: tuple[str, ...] = ("train", "dev", "test", "testA", "testB")
    phrases = "refs(unc).p"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per phrase, in the order of the file; ``truth`` is a tuple with the one box."""
        path = self.existing(self.phrases)
        instances = self.existing("instances.json")
        photos = self.existing(*coco_folders("train2014"))
        content = read_json(instances, KIND)
        with malformed(instances, KIND):
            images = {i["id"]: (photos / i["file_name"], (i["width"], i["height"])) for i in content["images"]}
            boxes = {a["id"]: box_of_sides(a["bbox"], images[a["image_id"]][1]) for a in content["annotations"]}
        with malformed(path, KIND):
            references = list(read_pickle(path))
        examples: list[Example] = []
        for number, entry in enumerate(references):
            with malformed(f"{path}, reference {number}", KIND):
                if entry["split"] in PARTS[split]:
                    examples += self._of(entry, images[entry["image_id"]][0], (boxes[entry["ann_id"]],))
        return examples

    def _of(self, entry: dict[str, Any], photo: object, truth: object) -> Iterator[Example]:
        for sentence in entry["sentences"]:
            inputs = {"image": photo, "phrase": text_of(sentence["sent"])}
            yield Example(
                self.task, inputs, truth=truth, image_id=str(entry["image_id"]), question_id=str(sentence["sent_id"])
            )


class RefcocoPlus(Refcoco):
    """RefCOCO+, whose phrases use no places such as "left"; its files are those of ``Refcoco``."""


class Refcocog(Refcoco):
    """RefCOCOg with longer phrases; ``refs(umd).p`` has the split without photos in both train and test."""

    layout = Refcoco.layout.replace("unc", "umd")
    splits = ("train", "dev", "test")
    phrases = "refs(umd).p"
