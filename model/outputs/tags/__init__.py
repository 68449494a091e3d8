"""Tags output: one class for every word of a text."""

from omninet.model.outputs.tags.output import TagsOutput

__all__ = ["TagsOutput"]
