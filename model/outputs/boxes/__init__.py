"""Boxes output: the places of a phrase in a photo."""
