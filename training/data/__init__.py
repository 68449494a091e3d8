"""Data sets in their public layouts: one file a data set, one line here."""

from training.data.activities import Activities
from training.data.base import DataError, DataSet, Example
from training.data.coco import Coco
from training.data.conllu import Conllu
from training.data.daquar import Daquar
from training.data.flickr8k import Flickr8k

DATASETS: dict[str, type[DataSet]] = {
    "ewt": Conllu,
    "flickr8k": Flickr8k,
    "coco": Coco,
    "daquar": Daquar,
    "activities": Activities,
}

__all__ = ["DATASETS", "DataError", "DataSet", "Example"]
