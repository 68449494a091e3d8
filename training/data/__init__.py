"""Data sets in their published layouts: one module per data set, registered in DATASETS."""

from omninet.training.data.activities import Activities
from omninet.training.data.base import DataError, DataSet, Drawing, Example, MissingError, thinned
from omninet.training.data.caltech101 import Caltech101
from omninet.training.data.caption_pairs import CaptionPairs
from omninet.training.data.caption_qa import CaptionQa
from omninet.training.data.class_folders import ClassFolders, Ilsvrc2012
from omninet.training.data.coco import Coco
from omninet.training.data.coco_text import CocoText
from omninet.training.data.conll import Conll2003, Wnut17
from omninet.training.data.conllu import Conllu
from omninet.training.data.daquar import Daquar
from omninet.training.data.flickr8k import Flickr8k
from omninet.training.data.flickr8k_entities import Flickr8kEntities
from omninet.training.data.flickr8k_match import Flickr8kMatch
from omninet.training.data.flickr8k_retrieval import Flickr8kRetrieval
from omninet.training.data.flickr30k_entities import Flickr30kEntities
from omninet.training.data.gqa import Gqa
from omninet.training.data.guesswhat import Guesswhat
from omninet.training.data.hmdb51 import Hmdb51
from omninet.training.data.icdar_scenes import Icdar2013Scenes, Icdar2015Scenes, TotalText
from omninet.training.data.karpathy import CocoRetrieval, Flickr30kRetrieval
from omninet.training.data.labelled_photos import ImageNet
from omninet.training.data.masked_captions import Multi30kMasked, Multi30kMaskedSeen
from omninet.training.data.multi30k_captions import Multi30kCaptions, Multi30kSeen, Multi30kSeenBack
from omninet.training.data.nlvr import Nlvr
from omninet.training.data.nlvr2 import Nlvr2
from omninet.training.data.penn import Penn, PennTrees, PtbSample
from omninet.training.data.recordings import An4, Fsdd, LibriSpeech, SpeechCommands
from omninet.training.data.records import Records
from omninet.training.data.refcoco import Refcoco, Refcocog, RefcocoPlus
from omninet.training.data.rendered_scenes import RenderedScenes
from omninet.training.data.rendered_text import RenderedText
from omninet.training.data.scene_words import Icdar2015Words, Iiit5kWords
from omninet.training.data.snli_ve import SnliVe
from omninet.training.data.street_view_text import StreetViewText
from omninet.training.data.text_pairs import Multi30k, Multi30kBack, Wmt14, Wmt14Back
from omninet.training.data.thing_naming import Caltech101Captions, Caltech101Questions, ThingCaptions, ThingQuestions
from omninet.training.data.visual7w import Visual7w
from omninet.training.data.visual_genome_qa import VisualGenomeQa
from omninet.training.data.vqa2 import Vqa2

DATASETS: dict[str, type[DataSet]] = {
    "penn": Penn,
    "conllu": Conllu,
    "ewt": Conllu,
    "penn_trees": PennTrees,
    "ptb_sample": PtbSample,
    "wnut17": Wnut17,
    "conll2003": Conll2003,
    "coco": Coco,
    "flickr8k": Flickr8k,
    "vqa2": Vqa2,
    "daquar": Daquar,
    "caption_qa": CaptionQa,
    "caption_pairs": CaptionPairs,
    "hmdb51": Hmdb51,
    "activities": Activities,
    "multi30k": Multi30k,
    "multi30k_back": Multi30kBack,
    "multi30k_captions": Multi30kCaptions,
    "multi30k_seen": Multi30kSeen,
    "multi30k_seen_back": Multi30kSeenBack,
    "multi30k_masked": Multi30kMasked,
    "multi30k_masked_seen": Multi30kMaskedSeen,
    "wmt14": Wmt14,
    "wmt14_back": Wmt14Back,
    "an4": An4,
    "fsdd": Fsdd,
    "librispeech": LibriSpeech,
    "speech_commands": SpeechCommands,
    "icdar2015_words": Icdar2015Words,
    "iiit5k_words": Iiit5kWords,
    "rendered_text": RenderedText,
    "icdar2013_scenes": Icdar2013Scenes,
    "icdar2015_scenes": Icdar2015Scenes,
    "total_text": TotalText,
    "coco_text": CocoText,
    "street_view_text": StreetViewText,
    "rendered_scenes": RenderedScenes,
    "imagenet": ImageNet,
    "ilsvrc2012": Ilsvrc2012,
    "class_folders": ClassFolders,
    "caltech101": Caltech101,
    "thing_captions": ThingCaptions,
    "thing_questions": ThingQuestions,
    "caltech101_captions": Caltech101Captions,
    "caltech101_questions": Caltech101Questions,
    "flickr8k_match": Flickr8kMatch,
    "snli_ve": SnliVe,
    "nlvr": Nlvr,
    "nlvr2": Nlvr2,
    "flickr8k_entities": Flickr8kEntities,
    "flickr30k_entities": Flickr30kEntities,
    "refcoco": Refcoco,
    "refcoco_plus": RefcocoPlus,
    "refcocog": Refcocog,
    "visual7w": Visual7w,
    "guesswhat": Guesswhat,
    "flickr8k_retrieval": Flickr8kRetrieval,
    "flickr30k_retrieval": Flickr30kRetrieval,
    "coco_retrieval": CocoRetrieval,
    "gqa": Gqa,
    "visual_genome_qa": VisualGenomeQa,
}

__all__ = ["DATASETS", "DataError", "DataSet", "Drawing", "Example", "MissingError", "Records", "thinned"]
