"""A text, subword by subword."""

from omninet.model.outputs.text.output import TextOutput

__all__ = ["TextOutput"]
