"""Explanations: the attention of an answer as numbers and as heat maps."""
