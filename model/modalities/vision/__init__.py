"""Vision modality: images and videos."""

from omninet.model.modalities.vision.modality import VisionModality

__all__ = ["VisionModality"]
