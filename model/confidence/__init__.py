"""Confidence: how likely an answer is right."""
