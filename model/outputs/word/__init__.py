"""Word output: what is written in a picture of one word or line, character by character."""

from omninet.model.outputs.word.output import WordOutput

__all__ = ["WordOutput"]
