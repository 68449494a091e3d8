"""Text output: a text, decoded subword by subword."""

from omninet.model.outputs.text.output import TextOutput

__all__ = ["TextOutput"]
