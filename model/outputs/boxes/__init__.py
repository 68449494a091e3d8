"""Boxes output: the places of a phrase in a photo."""

from omninet.model.outputs.boxes.output import BoxesOutput

__all__ = ["BoxesOutput"]
