"""The kinds of output: one file each, one line here."""

from collections.abc import Mapping

from model.outputs.base import Output, Truth
from model.outputs.label import LabelOutput
from model.outputs.tags import TagsOutput
from model.outputs.text import TextOutput

OUTPUTS: Mapping[str, Output] = {"label": LabelOutput(), "tags": TagsOutput(), "text": TextOutput()}

__all__ = ["OUTPUTS", "Output", "Truth"]
