"""Measures of what the tasks answer."""
