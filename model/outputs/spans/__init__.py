"""Spans output: the named entities of a text, from a BIO tag for every word."""

from omninet.model.outputs.spans.output import SpansOutput

__all__ = ["SpansOutput"]
