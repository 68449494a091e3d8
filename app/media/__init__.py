"""Sandboxed worker processes that decode uploaded images, videos and recordings."""
