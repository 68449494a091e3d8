"""A text, subword by subword."""

from model.outputs.text.output import TextOutput

__all__ = ["TextOutput"]
