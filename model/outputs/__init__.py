"""The kinds of output: one folder each, one line here."""

from model.outputs.answer import Answer, PlainAnswer
from model.outputs.base import Metrics, Output
from model.outputs.label.output import LabelOutput
from model.outputs.tags.output import TagsOutput
from model.outputs.text.output import TextOutput
from model.outputs.truth import Truth

OUTPUTS: dict[str, Output] = {"label": LabelOutput(), "tags": TagsOutput(), "text": TextOutput()}

__all__ = ["OUTPUTS", "Answer", "Metrics", "Output", "PlainAnswer", "Truth"]
