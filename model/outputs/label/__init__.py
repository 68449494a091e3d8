"""Label output: one class of a vocabulary."""

from omninet.model.outputs.label.output import LabelOutput

__all__ = ["LabelOutput"]
