"""Embedding output: a vector per photo or text, for retrieval."""
