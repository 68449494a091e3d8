"""One class out of a vocabulary."""

from model.outputs.label.output import LabelOutput

__all__ = ["LabelOutput"]
