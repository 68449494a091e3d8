"""The checkpoints released by the authors, and their URLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# From the authors' checkpoint_urls.json; CONF is the folder of vocabularies in their repository.
STORE = "https://storage.googleapis.com/omninet"
CONF = "https://raw.githubusercontent.com/subho406/OmniNet/15c61fddfb225988ce3d14c565441bd8ae7c58bf/conf"

# BPEmb's address and the name of the English subwords that the authors used (Heinzerling and Strube 2018).
BPEMB, SUBWORDS = "https://nlp.h-its.org/bpemb/en", "en.wiki.bpe.vs25000.model"

OFFICIAL_TASKS = ("pos", "activity", "caption", "vqa")  # of the authors' network


@dataclass(frozen=True)
class Release:
    """A published checkpoint.

    Attributes:
        archive: file name in the store.
        tasks: tasks that it was trained for.
    """

    archive: str
    tasks: Sequence[str]


RELEASES = {
    "all_15k": Release("all_15k.zip", OFFICIAL_TASKS),
    "vqa_200k": Release("200k_vqa.zip", ("vqa",)),
    "caption_280k": Release("280k_caption.zip", ("caption",)),
    "hmdb_11k": Release("11k_hmdb.zip", ("activity",)),
    "penn_70k": Release("70k_penn.zip", ("pos",)),
}
