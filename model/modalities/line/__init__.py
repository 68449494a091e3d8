"""Line modality: pictures of one word or line of text."""

from omninet.model.modalities.line.modality import LineModality

__all__ = ["LineModality"]
