"""Confined processes that decode uploads."""
