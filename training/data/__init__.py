"""Data sets in their published layouts: one module per data set, registered in DATASETS."""

from omninet.training.data.activities import Activities
from omninet.training.data.base import DataError, DataSet, Example, MissingError, thinned
from omninet.training.data.caption_qa import CaptionQa
from omninet.training.data.coco import Coco
from omninet.training.data.conllu import Conllu
from omninet.training.data.daquar import Daquar
from omninet.training.data.flickr8k import Flickr8k
from omninet.training.data.flickr8k_entities import Flickr8kEntities
from omninet.training.data.flickr8k_match import Flickr8kMatch
from omninet.training.data.flickr8k_retrieval import Flickr8kRetrieval
from omninet.training.data.hmdb51 import Hmdb51
from omninet.training.data.nlvr import Nlvr
from omninet.training.data.penn import Penn
from omninet.training.data.records import Records
from omninet.training.data.snli_ve import SnliVe
from omninet.training.data.vqa2 import Vqa2

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
    "flickr8k_match": Flickr8kMatch,
    "snli_ve": SnliVe,
    "nlvr": Nlvr,
    "flickr8k_entities": Flickr8kEntities,
    "flickr8k_retrieval": Flickr8kRetrieval,
}

__all__ = ["DATASETS", "DataError", "DataSet", "Example", "MissingError", "Records", "thinned"]
