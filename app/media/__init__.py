"""Sandboxed worker processes that decode uploaded images and videos."""
