"""Data sets in their public layouts: one file a data set, one line here."""

from training.data.activities import Activities
from training.data.base import DataError, DataSet, Example, MissingError, thinned
from training.data.caption_qa import CaptionQa
from training.data.coco import Coco
from training.data.conllu import Conllu
from training.data.daquar import Daquar
from training.data.flickr8k import Flickr8k
from training.data.hmdb51 import Hmdb51
from training.data.penn import Penn
from training.data.records import Records
from training.data.vqa2 import Vqa2

DATASETS: dict[str, type[DataSet]] = {
    "penn": Penn,
    "conllu": Conllu,
    "ewt": Conllu,
    "coco": Coco,
    "flickr8k": Flickr8k,
    "vqa2": Vqa2,
    "daquar": Daquar,
    "caption_qa": CaptionQa,
    "hmdb51": Hmdb51,
    "activities": Activities,
}

__all__ = ["DATASETS", "DataError", "DataSet", "Example", "MissingError", "Records", "thinned"]
