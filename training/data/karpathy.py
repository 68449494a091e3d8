"""Flickr30k (Young et al. 2014) and COCO for retrieval, in the splits of Karpathy and Fei-Fei (2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omninet.training.data.base import Example
from omninet.training.data.json_files import malformed, read_json, text_of
from omninet.training.data.photo_folders import FLICKR30K, coco_folders
from omninet.training.data.retrieval import Retrieval, retrieval_examples

PARTS = {"train": ("train", "restval"), "dev": ("val",), "test": ("test",)}


class Flickr30kRetrieval(Retrieval):
    """``dataset_flickr30k.json`` lists photos with split and captions; not run on the real files."""

    source = "https://cs.stanford.edu/people/karpathy/deepimagesent/ (photos: Flickr30k)"
    layout = "dataset_flickr30k.json and flickr30k_images/*.jpg"
    file = "dataset_flickr30k.json"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per pair, or per photo and caption; ``restval`` of COCO belongs to train, as usual."""
        path = self.existing(self.file)
        kind = "list of photos with captions"
        content = read_json(path, kind)
        with malformed(path, kind):
            images = [image for image in content["images"] if image["split"] in PARTS[split]]
        examples = []
        for image in images:
            with malformed(f"{path}, photo {image.get('filename')}", kind):
                captions = tuple(text_of(sentence["raw"]) for sentence in image["sentences"])
                name = text_of(image["filename"])
                photo = self.existing(*self._folders(image)) / name
                examples.append(
                    Example(
                        self.task,
                        {"image": photo},
                        captions[0],
                        captions=captions,
                        image_id=str(image.get("cocoid", image["imgid"])),
                    )
                )
        return retrieval_examples(split, examples)

    def _folders(self, image: dict[str, Any]) -> Sequence[str]:  # noqa: ARG002
        """Return the possible folders of a photo."""
        return FLICKR30K


class CocoRetrieval(Flickr30kRetrieval):
    """``dataset_coco.json`` lists photos of ``train2014`` and ``val2014``; not run on the real files."""

    source = "https://cs.stanford.edu/people/karpathy/deepimagesent/ (photos: https://cocodataset.org/#download)"
    layout = "dataset_coco.json, train2014/*.jpg and val2014/*.jpg, or the photos in ../coco"
    file = "dataset_coco.json"

    def _folders(self, image: dict[str, Any]) -> Sequence[str]:
        return coco_folders(text_of(image["filepath"]))
