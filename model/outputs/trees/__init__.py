"""Trees output: the constituents of every sentence, as bracketed trees."""

from omninet.model.outputs.trees.output import TreesOutput

__all__ = ["TreesOutput"]
