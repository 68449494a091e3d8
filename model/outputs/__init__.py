"""Registry of the kinds of output; each has a folder of its own."""

from omninet.model.outputs.answer import Answer, PlainAnswer
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.boxes.output import BoxesOutput
from omninet.model.outputs.embedding.output import EmbeddingOutput
from omninet.model.outputs.label.output import LabelOutput
from omninet.model.outputs.match.output import MatchOutput
from omninet.model.outputs.scene.output import SceneOutput
from omninet.model.outputs.spans.output import SpansOutput
from omninet.model.outputs.tags.output import TagsOutput
from omninet.model.outputs.text.output import TextOutput
from omninet.model.outputs.transcript.output import TranscriptOutput
from omninet.model.outputs.translation.output import TranslationOutput
from omninet.model.outputs.trees.output import TreesOutput
from omninet.model.outputs.truth import Truth
from omninet.model.outputs.word.output import WordOutput

OUTPUTS: dict[str, Output] = {
    "boxes": BoxesOutput(),
    "embedding": EmbeddingOutput(),
    "label": LabelOutput(),
    "match": MatchOutput(),
    "scene": SceneOutput(),
    "spans": SpansOutput(),
    "tags": TagsOutput(),
    "text": TextOutput(),
    "transcript": TranscriptOutput(),
    "translation": TranslationOutput(),
    "trees": TreesOutput(),
    "word": WordOutput(),
}

__all__ = ["OUTPUTS", "Answer", "Metrics", "Output", "PlainAnswer", "Truth"]
