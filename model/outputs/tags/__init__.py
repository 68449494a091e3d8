"""A class for every word of a text."""

from model.outputs.tags.output import TagsOutput

__all__ = ["TagsOutput"]
