"""Embedding output: a vector of unit length, in one space for all modalities."""

from omninet.model.outputs.embedding.output import EmbeddingOutput

__all__ = ["EmbeddingOutput"]
